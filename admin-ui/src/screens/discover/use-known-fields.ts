// The fields of what is searched, as many as are fetched at once: asked for once, for all that need them.
import { useMemo } from 'react';
import { useMonitorCall } from '../../api/monitor';
import { type Field, Search } from '../../generated/wharf/monitor/v1/search_pb';

export const MOST_FIELDS = 500;

export function useEveryField(indices: string[], enabled: boolean) {
  return useMonitorCall(
    Search.method.listFields,
    { indices, prefix: '', limit: MOST_FIELDS },
    { enabled, keep: true },
  );
}

/** By name. */
export function useKnownFields(indices: string[], enabled: boolean): ReadonlyMap<string, Field> {
  const { data } = useEveryField(indices, enabled);
  return useMemo(() => new Map(data?.fields.map((one) => [one.name, one])), [data]);
}
