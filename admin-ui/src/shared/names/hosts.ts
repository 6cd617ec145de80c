// Names of hosts by the ids of their allocators, for those who may know them.
import { useMemo } from 'react';
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';

/** As many as one page has. */
export const MOST_HOSTS = 1_000;
export const ALL_HOSTS = { options: { pageSize: MOST_HOSTS, orderBy: 'host' } };

export function useHostNames(): (allocatorId: string) => string {
  const { seesPlatform } = useRights();
  const hosts = useCall(Allocators.method.listAllocators, ALL_HOSTS, { enabled: seesPlatform });
  const names = useMemo(() => new Map(hosts.data?.allocators.map((one) => [one.id, one.host])), [hosts.data]);
  return (id) => names.get(id) ?? id.slice(0, 8);
}
