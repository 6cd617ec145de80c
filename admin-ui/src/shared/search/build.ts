// Parts of the bodies of searches, and what their answers say. Pure.
import type { Json, JsonObject } from '../../api/monitor';

export const TIME = '@timestamp';

/** Milliseconds; the end is not part of it. */
export interface Span {
  from: number;
  to: number;
}

export function rangeOf({ from, to }: Span, field: string = TIME): JsonObject {
  return { range: { [field]: { gte: from, lt: to, format: 'epoch_millis' } } };
}

export function termFilter(field: string, value: string | number | boolean): JsonObject {
  return { term: { [field]: value } };
}

export function termsFilter(field: string, values: readonly (string | number)[]): JsonObject {
  return { terms: { [field]: [...values] } };
}

export function exists(field: string): JsonObject {
  return { exists: { field } };
}

/** What a reader has typed. */
export function queryString(query: string): JsonObject {
  return { query_string: { query, default_operator: 'AND', analyze_wildcard: true } };
}

/** All of `filter`, none of `mustNot`, one of `should`. */
export function all(filter: readonly JsonObject[], mustNot: readonly JsonObject[] = []): JsonObject {
  return { bool: { filter: [...filter], ...(mustNot.length > 0 ? { must_not: [...mustNot] } : {}) } };
}

export function either(should: readonly JsonObject[]): JsonObject {
  return { bool: { should: [...should], minimum_should_match: 1 } };
}

export type Aggs = Record<string, JsonObject>;

/** Buckets over the whole of the span, empty ones too. */
export function dateHistogram(range: Span & { bucketMs: number }, aggs: Aggs = {}): JsonObject {
  const { from, to, bucketMs } = range;
  return {
    date_histogram: {
      field: TIME,
      fixed_interval: `${bucketMs}ms`,
      min_doc_count: 0,
      // The bounds are of buckets: the end is not part of the span.
      extended_bounds: { min: from, max: to - 1 },
    },
    ...within(aggs),
  };
}

export function terms(field: string, size: number, aggs: Aggs = {}, order?: JsonObject): JsonObject {
  return { terms: { field, size, ...(order ? { order } : {}) }, ...within(aggs) };
}

export function filtered(filter: JsonObject, aggs: Aggs = {}): JsonObject {
  return { filter, ...within(aggs) };
}

export function metric(
  kind: 'avg' | 'max' | 'min' | 'sum' | 'cardinality' | 'value_count',
  field: string,
): JsonObject {
  return { [kind]: { field } };
}

export function percentiles(field: string, percents: readonly number[]): JsonObject {
  return { percentiles: { field, percents: [...percents] } };
}

function within(aggs: Aggs): JsonObject {
  return Object.keys(aggs).length > 0 ? { aggs } : {};
}

/** One bucket of an answer: its key, how many documents, and the aggregations within it. */
export interface Bucket {
  key: string | number;
  key_as_string?: string;
  doc_count: number;
  [name: string]: Json | undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isBucket(value: Json): boolean {
  return isObject(value) && 'key' in value && typeof value.doc_count === 'number';
}

/** What `path` (names joined by dots are names of nested aggregations) leads to. */
export function inside(aggregations: unknown, ...path: readonly string[]): Json | undefined {
  let at = aggregations as Json | undefined;
  for (const name of path) {
    if (!isObject(at)) return undefined;
    at = at[name];
  }
  return at;
}

/** The buckets of an aggregation; none when there is no such aggregation. */
export function bucketsOf(aggregations: unknown, ...path: readonly string[]): Bucket[] {
  const found = inside(aggregations, ...path, 'buckets');
  return Array.isArray(found) ? (found.filter(isBucket) as unknown as Bucket[]) : [];
}

/** The value of a single-value metric; nothing when nothing was measured. */
export function metricOf(bucket: unknown, ...path: readonly string[]): number | null {
  const found = inside(bucket, ...path, 'value');
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

export function percentileOf(bucket: unknown, name: string, percent: number): number | null {
  const key = Number.isInteger(percent) ? percent.toFixed(1) : String(percent);
  const found = inside(bucket, name, 'values', key);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

export function countOf(bucket: unknown, ...path: readonly string[]): number {
  const found = inside(bucket, ...path, 'doc_count');
  return typeof found === 'number' ? found : 0;
}

export type Point = [ms: number, value: number | null];

/** The points of a histogram over time. */
export function pointsOf(buckets: readonly Bucket[], value: (bucket: Bucket) => number | null): Point[] {
  return buckets.map((bucket) => [Number(bucket.key), value(bucket)]);
}

/** Moves points of an earlier span over those of now. */
export function movedBy(points: readonly Point[], ms: number): Point[] {
  return points.map(([at, value]) => [at + ms, value]);
}

/** A value of a document, by its path with dots, whether it is nested or not. */
export function fieldOf(source: JsonObject, path: string): Json | undefined {
  if (path in source) return source[path];
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const inner = source[path.slice(0, dot)];
    if (isObject(inner)) {
      const found = fieldOf(inner, path.slice(dot + 1));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

export function textOf(source: JsonObject, path: string): string {
  const found = fieldOf(source, path);
  if (found === undefined || found === null) return '';
  return typeof found === 'object' ? JSON.stringify(found) : String(found);
}

/** Those buckets that lie in the span with all of them: of the others a count says too little. */
export function wholeBuckets(buckets: readonly Bucket[], range: Span & { bucketMs: number }): Bucket[] {
  return buckets.filter(
    (one) => Number(one.key) >= range.from && Number(one.key) + range.bucketMs <= range.to,
  );
}
