// What is measured over time: of which stream, which fields, and how points are made of the answer. Pure.
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import {
  type Aggs,
  all,
  type Bucket,
  bucketsOf,
  dateHistogram,
  metric,
  metricOf,
  movedBy,
  type Point,
  rangeOf,
  type Span,
  TIME,
  terms,
} from '../search/build';

/**
 * `level`: the mean of what was measured; `highest`: its peak; `rate`: of a counter, its growth per
 * second.
 */
export type Kind = 'level' | 'highest' | 'rate';

export interface Measure {
  /** Names its points in the answer. */
  id: string;
  /** What readers see. */
  label: string;
  field: string;
  as: Kind;
  /** Every value is multiplied by it. */
  times?: number;
}

export interface Metric {
  stream: string;
  filter: readonly JsonObject[];
  measures: readonly Measure[];
  /** Points of their own for each value of a field, or the sum of all of them. */
  split?: {
    field: string;
    most: number;
    together?: boolean;
    /** Those with the most in all come first, also when they were measured seldom; else those with the most at a time. */
    inAll?: boolean;
  };
  /** How often it is measured: shorter buckets would be empty in between. */
  periodMs?: number;
}

export interface Series {
  id: string;
  label: string;
  points: Point[];
}

/** What collectors read most often. */
export const SAMPLE_MS = 10_000;

export interface Buckets extends Span {
  bucketMs: number;
}

function stepOf(asked: Metric, range: Buckets): number {
  return Math.max(range.bucketMs, asked.periodMs ?? SAMPLE_MS);
}

const AGGREGATION = { level: 'avg', highest: 'max', rate: 'max' } as const;

function growing(asked: Metric): boolean {
  return asked.measures.some((one) => one.as === 'rate');
}

export function bodyOf(asked: Metric, range: Buckets): JsonObject {
  const bucketMs = stepOf(asked, range);
  // How much a counter grew in the first bucket is told by the one before it.
  const from = growing(asked) ? range.from - bucketMs : range.from;
  const span = { from, to: range.to, bucketMs };
  const aggs: Aggs = growing(asked) ? { at: metric('max', TIME) } : {};
  for (const one of asked.measures) aggs[one.id] = metric(AGGREGATION[one.as], one.field);
  const over = dateHistogram(span, aggs);
  const { split } = asked;
  const first = asked.measures[0];
  const grouped =
    split && first
      ? terms(
          split.field,
          split.most,
          { over, size: metric(split.inAll ? 'sum' : AGGREGATION[first.as], first.field) },
          { size: 'desc' },
        )
      : undefined;
  return {
    size: 0,
    track_total_hits: false,
    query: all([...asked.filter, rangeOf(span)]),
    aggs: grouped ? { split: grouped } : { over },
  };
}

/** Growth per second from each bucket to the next; nothing where the counter began anew. */
function growth(buckets: readonly Bucket[], one: Measure): Point[] {
  let before: { at: number; value: number } | undefined;
  const points = buckets.map((bucket): Point => {
    const value = metricOf(bucket, one.id);
    const at = metricOf(bucket, 'at');
    let rate: number | null = null;
    if (value !== null && at !== null) {
      if (before && at > before.at && value >= before.value) {
        rate = ((value - before.value) * 1_000) / (at - before.at);
      }
      before = { at, value };
    }
    return [Number(bucket.key), rate];
  });
  return points.slice(1);
}

function pointsFor(buckets: readonly Bucket[], one: Measure): Point[] {
  const points: Point[] =
    one.as === 'rate'
      ? growth(buckets, one)
      : buckets.map((bucket) => [Number(bucket.key), metricOf(bucket, one.id)]);
  const { times } = one;
  if (times === undefined) return points;
  return points.map(([at, value]) => [at, value === null ? null : value * times]);
}

/** The sum at each moment of those that have a value then. */
export function summed(each: readonly (readonly Point[])[]): Point[] {
  const sums = new Map<number, number | null>();
  for (const points of each) {
    for (const [at, value] of points) {
      const sum = sums.get(at) ?? null;
      sums.set(at, value === null ? sum : (sum ?? 0) + value);
    }
  }
  return [...sums].sort(([a], [b]) => a - b);
}

export function seriesOf(asked: Metric, answer: SearchAnswer | undefined): Series[] {
  const aggregations = answer?.aggregations;
  const { measures, split } = asked;
  // A rate beside a level: the bucket that only rates need is of no use to the level.
  const extra = growing(asked) ? 1 : 0;
  const of = (from: unknown, one: Measure) => {
    const points = pointsFor(bucketsOf(from, 'over'), one);
    return one.as === 'rate' ? points : points.slice(extra);
  };
  if (!split) {
    return measures.map((one) => ({ id: one.id, label: one.label, points: of(aggregations, one) }));
  }
  const groups = bucketsOf(aggregations, 'split');
  if (split.together) {
    return measures.map((one) => ({
      id: one.id,
      label: one.label,
      points: summed(groups.map((group) => of(group, one))),
    }));
  }
  const single = measures.length === 1;
  return groups.flatMap((group) =>
    measures.map((one) => ({
      id: single ? String(group.key) : `${group.key} ${one.id}`,
      label: single ? String(group.key) : `${group.key} · ${one.label}`,
      points: of(group, one),
    })),
  );
}

/** Points of the earlier span, moved over those of now, by what they are of. */
export function previousOf(
  asked: Metric,
  answer: SearchAnswer | undefined,
  by: number,
): Map<string, Point[]> {
  return new Map(seriesOf(asked, answer).map((one) => [one.id, movedBy(one.points, by)]));
}

export function hasValues(series: readonly Series[]): boolean {
  return series.some((one) => one.points.some(([, value]) => value !== null));
}
