// When a data stream was written to last: what a page says where a span has nothing.
import type { UseQueryResult } from '@tanstack/react-query';
import { type JsonObject, type SearchAnswer, useSearch } from '../../api/monitor';
import { all, TIME } from './build';

export interface LastSeen {
  /** There is no such index or data stream. */
  missing: boolean;
  /** Milliseconds; nothing: there is not one document. */
  at: number | undefined;
}

export function lastSeenBody(filter: readonly JsonObject[]): JsonObject {
  return {
    size: 1,
    track_total_hits: false,
    _source: false,
    query: filter.length > 0 ? all(filter) : { match_all: {} },
    sort: [{ [TIME]: { order: 'desc', unmapped_type: 'date' } }],
  };
}

export function lastSeenOf(answer: SearchAnswer): LastSeen {
  const at = answer.hits.hits[0]?.sort?.[0];
  return {
    missing: answer._shards?.total === 0,
    at: typeof at === 'number' ? at : undefined,
  };
}

export function useLastSeen(
  input: { deployment?: string; indices: string[]; filter?: readonly JsonObject[] },
  enabled: boolean,
): { seen: LastSeen | undefined; query: UseQueryResult<SearchAnswer> } {
  const { filter = [], ...where } = input;
  const query = useSearch({ ...where, body: lastSeenBody(filter) }, { enabled });
  return { seen: query.data ? lastSeenOf(query.data) : undefined, query };
}
