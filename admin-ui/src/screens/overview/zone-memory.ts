// Memory in use by zone over time. Pure.
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import type { Zone } from '../../generated/wharf/v1/allocators_pb';
import type { ChartSeries } from '../../shared/chart/types';
import {
  all,
  bucketsOf,
  dateHistogram,
  filtered,
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
/** More are not drawn. */
export const MOST_ZONES = 12;
/** Who has told nothing for so long at the end of the span is not in the last sums. */
const LATELY_MS = 60_000;

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
        hosts: metric('cardinality', 'host.name'),
        lately: filtered(rangeOf({ from: range.to - LATELY_MS, to: range.to }), {
          hosts: metric('cardinality', 'host.name'),
        }),
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

export interface Untold {
  /** Hosts that told nothing at the end of the span: its last sums are without them. */
  missing: number;
  /** Of so many. */
  of: number;
  /** Where they are, by name. */
  zones: { zone: string; missing: number }[];
}

/**
 * Who is not in the last sums, of the hosts that directors know; of a span that ended earlier, of those that told
 * something in it. Of zones that are not drawn, for there are so many, nothing is said.
 */
export function untold(
  answer: SearchAnswer,
  known: readonly Pick<Zone, 'name' | 'hosts'>[] | undefined,
): Untold {
  const drawn = new Map(
    bucketsOf(answer.aggregations, 'zone').map((zone) => {
      const told = metricOf(zone, 'lately', 'hosts') ?? 0;
      // Of a zone that directors know no more nobody is expected.
      return [String(zone.key), { told, of: known ? told : (metricOf(zone, 'hosts') ?? 0) }];
    }),
  );
  const allDrawn = drawn.size < MOST_ZONES;
  for (const { name, hosts } of known ?? []) {
    const one = drawn.get(name);
    if (one) one.of = hosts;
    else if (allDrawn) drawn.set(name, { told: 0, of: hosts });
  }
  const zones = [...drawn]
    .map(([zone, { told, of }]) => ({ zone, missing: Math.max(0, of - told) }))
    .filter((one) => one.missing > 0)
    .sort((a, b) => a.zone.localeCompare(b.zone, 'en', { numeric: true }));
  return {
    missing: zones.reduce((sum, one) => sum + one.missing, 0),
    of: [...drawn.values()].reduce((sum, one) => sum + one.of, 0),
    zones,
  };
}
