// A panel → the search that fills it. Pure. Not here: reading the answer (`frame`).
import type { JsonObject } from '../../api/monitor';
import {
  type Aggs,
  all,
  exists,
  metric,
  percentiles,
  queryString,
  rangeOf,
  type Span,
  TIME,
  termFilter,
  terms,
} from '../../shared/search/build';
import { bucketFor } from '../../shared/time/range';
import { isOverTime, type Metric, type Panel, type Variable } from './document';

/** A variable with the value that is chosen; empty: all. */
export interface Chosen extends Pick<Variable, 'name' | 'field'> {
  value: string;
}

export interface Ask {
  indices: string[];
  body: JsonObject;
  /** Milliseconds of a bucket of time. */
  bucketMs: number;
}

const USUAL_SIZE = 10;
const USUAL_ROWS = 50;
const USUAL_ZONES = 100;
/** Values of a field of `each` at most. */
const MOST_EACH = 200;
/** The storage refuses an answer of more than 65,535 buckets. */
const MOST_IN_ANSWER = 60_000;
/** What a thing has of the second and third field of `each`: networks, discs. */
const USUAL_WITHIN = 2;
const USUAL_PERIOD = 10;
const MOST_BUCKETS = 120;

/** What the panel's data is cut into along time. */
export function bucketOf(panel: Panel, span: number): number {
  const adds = panel.each?.length || panel.metrics?.some((one) => one.of === 'rate');
  const period = (panel.period ?? USUAL_PERIOD) * 1_000;
  // Sums need a sample of everyone in each bucket, rates two.
  const atLeast = panel.metrics?.every((one) => one.of === 'count') ? 1_000 : adds ? period * 2 : period;
  return bucketFor(span, MOST_BUCKETS, atLeast);
}

export function sizeOf(panel: Panel): number {
  if (panel.size !== undefined) return panel.size;
  if (panel.kind === 'map') return USUAL_ZONES;
  return panel.kind === 'table' || panel.kind === 'treemap' ? USUAL_ROWS : USUAL_SIZE;
}

/** How many values of the first field of `each` an answer holds beside its other buckets. */
function eachSize(panel: Panel, overTime: boolean): number {
  const leaves = sizeOf(panel) ** (panel.split?.length ?? 0);
  const within = USUAL_WITHIN ** Math.max(0, (panel.each?.length ?? 0) - 1);
  const fit = Math.floor(MOST_IN_ANSWER / (leaves * within * (overTime ? MOST_BUCKETS + 1 : 1)));
  return Math.max(1, Math.min(MOST_EACH, fit));
}

/** `$name` in a query is the value, or anything. */
export function filled(query: string, chosen: readonly Chosen[]): string {
  return query.replace(/\$([a-z][a-z0-9_]*)/g, (whole, name: string) => {
    const variable = chosen.find((one) => one.name === name);
    if (!variable) return whole;
    return variable.value === '' ? '*' : `"${variable.value.replace(/[\\"]/g, '\\$&')}"`;
  });
}

/** `$name` in a title is the value, or the word for all. */
export function titled(title: string, chosen: readonly Chosen[], allWord: string): string {
  return title.replace(/\$([a-z][a-z0-9_]*)/g, (whole, name: string) => {
    const variable = chosen.find((one) => one.name === name);
    return variable ? variable.value || allWord : whole;
  });
}

/** All that the panel's documents have to be, but their time. */
export function filtersOf(panel: Panel, chosen: readonly Chosen[]): JsonObject[] {
  const filters = chosen
    .filter((one) => one.value !== '' && !panel.ignores?.includes(one.name))
    .map((one) => termFilter(one.field, one.value));
  if (panel.filter?.trim()) filters.push(queryString(filled(panel.filter, chosen)));
  const fields = new Set(panel.metrics?.map((one) => one.field ?? ''));
  const [only] = fields;
  if (fields.size === 1 && only) filters.push(exists(only));
  return filters;
}

/** A metric's aggregation; counts need none. */
function aggOf(one: Metric): JsonObject | undefined {
  if (one.of === 'count' || !one.field) return undefined;
  switch (one.of) {
    case 'percentile':
      return percentiles(one.field, [one.percentile ?? 95]);
    case 'last':
      return { top_metrics: { metrics: [{ field: one.field }], sort: { [TIME]: 'desc' } } };
    case 'unique':
      return metric('cardinality', one.field);
    case 'rate':
      return metric('max', one.field);
    default:
      return metric(one.of, one.field);
  }
}

function aggsOf(metrics: readonly Metric[], which: (one: Metric) => boolean): Aggs {
  const aggs: Aggs = {};
  for (const [at, one] of metrics.entries()) {
    const agg = which(one) ? aggOf(one) : undefined;
    if (agg) aggs[`m${at}`] = agg;
  }
  return aggs;
}

/** What the values of a split are ordered by: the largest are shown. */
function orderOf(first: Metric | undefined): { aggs: Aggs; by: JsonObject } {
  const counted = { aggs: {}, by: { _count: 'desc' } };
  if (!first?.field) return counted;
  switch (first.of) {
    case 'count':
    case 'last':
      return counted;
    case 'rate':
      return { aggs: { o: metric('max', first.field) }, by: { o: 'desc' } };
    case 'percentile':
      return { aggs: { o: metric('avg', first.field) }, by: { o: 'desc' } };
    case 'unique':
      return { aggs: { o: metric('cardinality', first.field) }, by: { o: 'desc' } };
    default:
      return { aggs: { o: metric(first.of, first.field) }, by: { o: 'desc' } };
  }
}

/** Nothing when the panel asks for nothing. */
export function askOf(panel: Panel, span: Span, chosen: readonly Chosen[]): Ask | undefined {
  if (panel.kind === 'markdown' || !panel.index?.length || !panel.metrics?.length) return undefined;
  if (panel.metrics.some((one) => one.of !== 'count' && !one.field)) return undefined;
  const { metrics } = panel;
  const bucketMs = bucketOf(panel, span.to - span.from);
  const overTime = isOverTime(panel.kind);
  const rates = metrics.some((one) => one.of === 'rate');
  let aggs: Aggs = overTime ? {} : aggsOf(metrics, (one) => one.of !== 'rate');
  if (overTime || panel.kind === 'metric' || rates) {
    const inside = aggsOf(metrics, () => true);
    aggs = {
      ...aggs,
      t: {
        date_histogram: { field: TIME, fixed_interval: `${bucketMs}ms`, min_doc_count: 1 },
        ...(Object.keys(inside).length > 0 ? { aggs: inside } : {}),
      },
    };
  }
  const first = eachSize(panel, 't' in aggs);
  for (const [at, field] of [...(panel.each ?? []).entries()].reverse()) {
    aggs = { [`e${at}`]: terms(field, at === 0 ? first : MOST_EACH, aggs) };
  }
  const order = orderOf(metrics[0]);
  for (const [at, field] of [...(panel.split ?? []).entries()].reverse()) {
    aggs = { [`s${at}`]: terms(field, sizeOf(panel), { ...order.aggs, ...aggs }, order.by) };
  }
  return {
    indices: panel.index,
    bucketMs,
    body: {
      size: 0,
      track_total_hits: !panel.split?.length,
      query: all([rangeOf(span), ...filtersOf(panel, chosen)]),
      aggs,
    },
  };
}
