// The answer to a panel's search → what a renderer draws: values along time, or rows. Pure.
import type { SearchAnswer } from '../../api/monitor';
import { line } from '../../shared/files/csv';
import {
  type Bucket,
  bucketsOf,
  inside,
  metricOf,
  movedBy,
  type Point,
  percentileOf,
} from '../../shared/search/build';
import { isOverTime, type Metric, type Panel } from './document';

export interface Series {
  /** What its colour is bound to. */
  id: string;
  label: string;
  /** The values of the split. */
  keys: string[];
  points: Point[];
  previous?: Point[];
}

export type Cell = number | string | null;

export interface Row {
  id: string;
  label: string;
  keys: string[];
  /** One per metric. */
  values: Cell[];
  previous?: Cell[];
  /** Along time, one per metric, where the panel asked for it. */
  trend?: Point[][];
}

export type Frame = { more: boolean } & (
  | { over: 'time'; series: Series[]; bucketMs: number }
  | { over: 'rows'; rows: Row[] }
);

/** An aggregation that the answer has at a place of the tree: a bucket, or all of the answer. */
type Node = unknown;

interface Leaf {
  keys: string[];
  node: Node;
  documents: number;
}

function leavesOf(panel: Panel, answer: SearchAnswer): { leaves: Leaf[]; more: boolean } {
  const splits = panel.split ?? [];
  let more = false;
  let leaves: Leaf[] = [
    { keys: [], node: answer.aggregations ?? {}, documents: answer.hits.total?.value ?? 0 },
  ];
  for (const at of splits.keys()) {
    leaves = leaves.flatMap((leaf) => {
      const others = inside(leaf.node, `s${at}`, 'sum_other_doc_count');
      if (typeof others === 'number' && others > 0) more = true;
      return bucketsOf(leaf.node, `s${at}`).map((bucket) => ({
        keys: [...leaf.keys, bucket.key_as_string ?? String(bucket.key)],
        node: bucket,
        documents: bucket.doc_count,
      }));
    });
  }
  return { leaves, more: more || leaves.some((leaf) => isCut(panel, leaf)) };
}

/** What has figures of its own within a leaf. */
function partsOf(panel: Panel, leaf: Leaf): { node: Node; documents: number }[] {
  let parts: { node: Node; documents: number }[] = [leaf];
  for (const at of (panel.each ?? []).keys()) {
    parts = parts.flatMap((part) =>
      bucketsOf(part.node, `e${at}`).map((bucket) => ({ node: bucket, documents: bucket.doc_count })),
    );
  }
  return parts;
}

/** Whether parts of a leaf were left out of its sum. */
function isCut(panel: Panel, leaf: Leaf): boolean {
  let nodes: Node[] = [leaf.node];
  for (const at of (panel.each ?? []).keys()) {
    const cut = nodes.some((node) => Number(inside(node, `e${at}`, 'sum_other_doc_count') ?? 0) > 0);
    if (cut) return true;
    nodes = nodes.flatMap((node) => bucketsOf(node, `e${at}`));
  }
  return false;
}

function lastIn(node: Node, name: string, field: string): Cell {
  const top = inside(node, name, 'top');
  const first = Array.isArray(top) ? inside(top[0], 'metrics') : undefined;
  const value = first && typeof first === 'object' && !Array.isArray(first) ? first[field] : undefined;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' || typeof value === 'string' ? value : null;
}

function scaled(value: Cell, by: number | undefined): Cell {
  return typeof value === 'number' && by !== undefined ? value * by : value;
}

/** A metric of a bucket or leaf; `rate` is the counter as it is. */
function valueIn(one: Metric, at: number, node: Node, documents: number): Cell {
  switch (one.of) {
    case 'count':
      return documents;
    case 'percentile':
      return percentileOf(node, `m${at}`, one.percentile ?? 95);
    case 'last':
      return lastIn(node, `m${at}`, one.field ?? '');
    default:
      return metricOf(node, `m${at}`);
  }
}

function numeric(value: Cell): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** A counter's growth per second. Where it went back it began anew, and nothing is known. */
export function ratesOf(counter: readonly Point[]): Point[] {
  const rates: Point[] = [];
  let before: [number, number] | undefined;
  for (const [ms, value] of counter) {
    if (value === null) continue;
    if (before && ms > before[0]) {
      const growth = value - before[1];
      rates.push([ms, growth >= 0 ? growth / ((ms - before[0]) / 1_000) : null]);
    }
    before = [ms, value];
  }
  return rates;
}

function sumOf(lists: readonly (readonly Point[])[]): Point[] {
  if (lists.length === 1) return [...(lists[0] ?? [])];
  const sums = new Map<number, number | null>();
  for (const points of lists) {
    for (const [ms, value] of points) {
      const before = sums.get(ms);
      sums.set(ms, value === null ? (before ?? null) : (before ?? 0) + value);
    }
  }
  return [...sums].sort(([a], [b]) => a - b);
}

interface Grid {
  from: number;
  to: number;
  bucketMs: number;
}

/** Counts are zero where nothing was; other values have a gap where samples are missing. */
function spread(points: readonly Point[], counts: boolean, { from, to, bucketMs }: Grid): Point[] {
  if (points.length === 0) return [];
  if (counts) {
    const known = new Map(points);
    const all: Point[] = [];
    for (let ms = Math.floor(from / bucketMs) * bucketMs; ms < to; ms += bucketMs) {
      all.push([ms, known.get(ms) ?? 0]);
    }
    return all;
  }
  const spaced: Point[] = [];
  for (const [at, point] of points.entries()) {
    const before = points[at - 1];
    if (before && point[0] - before[0] > 2.5 * bucketMs) spaced.push([before[0] + bucketMs, null]);
    spaced.push(point);
  }
  return spaced;
}

function alongTime(panel: Panel, one: Metric, at: number, leaf: Leaf, grid: Grid): Point[] {
  const lists = partsOf(panel, leaf).map((part) => {
    const points = bucketsOf(part.node, 't').map(
      (bucket: Bucket): Point => [Number(bucket.key), numeric(valueIn(one, at, bucket, bucket.doc_count))],
    );
    return one.of === 'rate' ? ratesOf(points) : points;
  });
  const counts = one.of === 'count' || one.of === 'unique';
  const points = spread(sumOf(lists), counts, grid);
  const { scale } = one;
  return scale === undefined
    ? points
    : points.map(([ms, value]) => [ms, value === null ? null : value * scale]);
}

function whole(panel: Panel, one: Metric, at: number, leaf: Leaf): Cell {
  const parts = partsOf(panel, leaf);
  if (one.of === 'rate') {
    const rates = parts.map((part) => {
      const counter = bucketsOf(part.node, 't').map(
        (bucket): Point => [Number(bucket.key), metricOf(bucket, `m${at}`)],
      );
      const known = ratesOf(counter).flatMap(([, rate]) => (rate === null ? [] : [rate]));
      return known.length > 0 ? known.reduce((sum, rate) => sum + rate, 0) / known.length : null;
    });
    return scaled(total(rates), one.scale);
  }
  const values = parts.map((part) => valueIn(one, at, part.node, part.documents));
  return scaled(values.length === 1 ? (values[0] ?? null) : total(values.map(numeric)), one.scale);
}

function total(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) : null;
}

/** `avg of docker.cpu.total.pct`, unless it says how it is called. */
export function labelOf(one: Metric): string {
  if (one.label) return one.label;
  if (one.of === 'count') return 'count';
  return `${one.of === 'percentile' ? `p${one.percentile ?? 95}` : one.of} ${one.field}`;
}

function named(panel: Panel, keys: readonly string[], one: Metric): { id: string; label: string } {
  const of = keys.join(' · ');
  const many = (panel.metrics?.length ?? 0) > 1;
  if (!of) return { id: labelOf(one), label: labelOf(one) };
  return many ? { id: `${of} ${labelOf(one)}`, label: `${of} · ${labelOf(one)}` } : { id: of, label: of };
}

export function frameOf(panel: Panel, answer: SearchAnswer, grid: Grid): Frame {
  const { leaves, more } = leavesOf(panel, answer);
  const metrics = panel.metrics ?? [];
  if (isOverTime(panel.kind)) {
    const series = leaves.flatMap((leaf) =>
      metrics.map(
        (one, at): Series => ({
          ...named(panel, leaf.keys, one),
          keys: leaf.keys,
          points: alongTime(panel, one, at, leaf, grid),
        }),
      ),
    );
    return {
      over: 'time',
      more,
      bucketMs: grid.bucketMs,
      series: series.filter((one) => one.points.length > 0),
    };
  }
  const rows = leaves.map((leaf): Row => {
    const name = leaf.keys.join(' · ') || (metrics[0] ? labelOf(metrics[0]) : '');
    return {
      id: name,
      label: name,
      keys: leaf.keys,
      values: metrics.map((one, at) => whole(panel, one, at, leaf)),
      ...(panel.kind === 'metric'
        ? { trend: metrics.map((one, at) => alongTime(panel, one, at, leaf, grid)) }
        : {}),
    };
  });
  const shown = rows.filter((row) => row.values.some((value) => value !== null));
  if (panel.split?.length) {
    shown.sort(
      (a, b) => (numeric(b.values[0] ?? null) ?? -Infinity) - (numeric(a.values[0] ?? null) ?? -Infinity),
    );
  }
  // A count of nothing is a figure; anything else of nothing is none.
  const counts = metrics.every((one) => one.of === 'count' || one.of === 'unique');
  const nothing = !panel.split?.length && !counts && (answer.hits.total?.value ?? 0) === 0;
  return { over: 'rows', more, rows: nothing ? [] : shown };
}

/** The earlier span's values beside those of now. */
export function compared(now: Frame, before: Frame, movedMs: number): Frame {
  if (now.over === 'time' && before.over === 'time') {
    const earlier = new Map(before.series.map((one) => [one.id, one.points]));
    return {
      ...now,
      series: now.series.map((one) => {
        const points = earlier.get(one.id);
        return points ? { ...one, previous: movedBy(points, movedMs) } : one;
      }),
    };
  }
  if (now.over === 'rows' && before.over === 'rows') {
    const earlier = new Map(before.rows.map((row) => [row.id, row.values]));
    return {
      ...now,
      rows: now.rows.map((row) => {
        const values = earlier.get(row.id);
        return values ? { ...row, previous: values } : row;
      }),
    };
  }
  return now;
}

/** By the moment of now that it is compared with; nothing where nothing is compared. */
export function beforeOf(one: Series, bucketMs: number): Map<number, number | null> | undefined {
  if (!one.previous) return undefined;
  // Buckets begin at whole multiples: what was moved by another length lies beside those of now.
  return new Map(one.previous.map(([ms, value]) => [Math.round(ms / bucketMs) * bucketMs, value]));
}

export function isEmpty(frame: Frame): boolean {
  return frame.over === 'time'
    ? !frame.series.some((one) => one.points.some(([, value]) => value !== null))
    : frame.rows.length === 0;
}

/** Rows of a frame for a table or a file: along time one row per moment. */
export function tableOf(panel: Panel, frame: Frame): { heads: string[]; rows: Cell[][] } {
  if (frame.over === 'rows') {
    const heads = [...(panel.split ?? []), ...(panel.metrics ?? []).map(labelOf)];
    return { heads, rows: frame.rows.map((row) => [...row.keys, ...row.values]) };
  }
  const times = [...new Set(frame.series.flatMap((one) => one.points.map(([ms]) => ms)))].sort(
    (a, b) => a - b,
  );
  const known = frame.series.map((one) => new Map(one.points));
  return {
    heads: ['time', ...frame.series.map((one) => one.label)],
    rows: times.map((ms) => [new Date(ms).toISOString(), ...known.map((points) => points.get(ms) ?? null)]),
  };
}

export function csvOf(table: { heads: string[]; rows: Cell[][] }): string {
  return [table.heads, ...table.rows].map(line).join('');
}
