// What is asked of the storage about the instances of a deployment. Pure: words are arguments.
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import type { Metric } from '../../shared/metrics/query';
import {
  all,
  bucketsOf,
  fieldOf,
  inside,
  rangeOf,
  TIME,
  termFilter,
  terms,
  termsFilter,
  textOf,
} from '../../shared/search/build';
import { ERROR_LEVELS } from '../../shared/search/discover-link';

export const LINES = ['logs-docker.container-default'];
const INSTANCE = 'wharf.instance.name';

/** Ids, because another deployment may have had the name before. */
export function ofDeployment(deploymentId: string): JsonObject[] {
  return [termFilter('wharf.deployment.id', deploymentId)];
}

export type DeploymentMetric = 'memory' | 'cpu' | 'written' | 'searched' | 'documents' | 'disk';

export function deploymentMetrics(deploymentId: string): Record<DeploymentMetric, Metric> {
  const filter = ofDeployment(deploymentId);
  const split = { field: INSTANCE, most: 12 };
  const told = (name: string, as: 'level' | 'rate'): Metric => ({
    stream: 'metrics-wharf.instance-default',
    filter: [...filter, termFilter('wharf.resource.name', 'storage')],
    measures: [{ id: name, label: name, field: `wharf.instance.metrics.${name}`, as }],
    split,
    periodMs: 30_000,
  });
  return {
    memory: {
      stream: 'metrics-docker.memory-default',
      filter,
      measures: [{ id: 'used', label: 'used', field: 'docker.memory.usage.total', as: 'level' }],
      split,
    },
    cpu: {
      stream: 'metrics-docker.cpu-default',
      filter,
      measures: [{ id: 'total', label: 'total', field: 'docker.cpu.total.pct', as: 'level', times: 100 }],
      split,
    },
    written: told('wharf_store_bulk_items_ok_total', 'rate'),
    searched: told('wharf_store_search_seconds_count', 'rate'),
    documents: told('wharf_store_documents', 'level'),
    disk: told('wharf_store_bytes', 'level'),
  };
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * The last error lines of each of these instances within a day. To the minute: a request that is another
 * one each second would be kept each second.
 */
export function lastErrorsBody(instanceIds: readonly string[], size: number, now: number): JsonObject {
  const to = Math.ceil(now / MINUTE_MS) * MINUTE_MS;
  return {
    size: 0,
    track_total_hits: false,
    query: all([
      { terms: { 'wharf.instance.id': [...instanceIds] } },
      termsFilter('log.level', ERROR_LEVELS),
      rangeOf({ from: to - DAY_MS, to }),
    ]),
    aggs: {
      instance: terms('wharf.instance.id', Math.max(1, instanceIds.length), {
        last: {
          top_hits: {
            size,
            _source: [TIME, 'message'],
            sort: [{ [TIME]: { order: 'desc' } }],
          },
        },
      }),
    },
  };
}

export interface ErrorLine {
  at: number;
  message: string;
}

/** By instance, oldest first. */
export function lastErrorsOf(answer: SearchAnswer | undefined): Map<string, ErrorLine[]> {
  return new Map(
    bucketsOf(answer?.aggregations, 'instance').map((bucket) => {
      const hits = inside(bucket, 'last', 'hits', 'hits');
      const lines = (Array.isArray(hits) ? hits : []).map((hit): ErrorLine => {
        const source = inside(hit, '_source');
        const of = typeof source === 'object' && source !== null && !Array.isArray(source) ? source : {};
        return { at: Date.parse(String(fieldOf(of, TIME) ?? '')) || 0, message: textOf(of, 'message') };
      });
      return [String(bucket.key), lines.reverse()];
    }),
  );
}
