// Memory in use by zone over time. Pure.
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import type { ChartSeries } from '../../shared/chart/types';
import {
  all,
  bucketsOf,
  dateHistogram,
  metric,
  metricOf,
  movedBy,
  type Point,
  rangeOf,
  type Span,
  terms,
} from '../../shared/search/build';

export const STREAM = 'metrics-system.memory-default';
/** Hosts tell their memory every 10 s. */
const PERIOD_MS = 10_000;
const MOST_ZONES = 12;

export interface Buckets extends Span {
  bucketMs: number;
}

export function zoneBody(range: Buckets): JsonObject {
  const bucketMs = Math.max(range.bucketMs, PERIOD_MS);
  return {
    size: 0,
    track_total_hits: false,
    query: all([rangeOf(range)]),
    aggs: {
      zone: terms('cloud.availability_zone', MOST_ZONES, {
        over: dateHistogram(
          { ...range, bucketMs },
          {
            used: metric('avg', 'system.memory.actual.used.bytes'),
            hosts: metric('cardinality', 'host.name'),
          },
        ),
      }),
    },
  };
}

// Hosts tell it equally often: the mean of all that was told is that of one host.
function pointsOfZone(zone: unknown): Point[] {
  return bucketsOf(zone, 'over').map((bucket): Point => {
    const [used, hosts] = [metricOf(bucket, 'used'), metricOf(bucket, 'hosts')];
    return [Number(bucket.key), used === null || hosts === null ? null : used * hosts];
  });
}

export function zoneSeries(
  now: SearchAnswer | undefined,
  before: SearchAnswer | undefined,
  movedMs: number,
): ChartSeries[] {
  const earlier = new Map(
    bucketsOf(before?.aggregations, 'zone').map((zone) => [String(zone.key), pointsOfZone(zone)]),
  );
  return bucketsOf(now?.aggregations, 'zone')
    .map((zone) => {
      const name = String(zone.key);
      const previous = earlier.get(name);
      return {
        // As everywhere: the colour goes with it.
        id: name,
        label: name,
        points: pointsOfZone(zone),
        ...(previous ? { previous: movedBy(previous, movedMs) } : {}),
      };
    })
    .sort((a, b) => a.label.localeCompare(b.label, 'en', { numeric: true }));
}
