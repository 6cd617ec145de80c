// The values of several series on one axis of time. Pure.
import type { Point } from '../search/build';
import type { ChartSeries } from './types';

/** `null` is a gap; `undefined` is a moment at which only others have values. */
export type Values = (number | null | undefined)[];

export interface Line {
  /** Of which of the series. */
  index: number;
  previous: boolean;
  values: Values;
}

export interface Frame {
  times: number[];
  /** Those of the earlier span first: they lie below. */
  lines: Line[];
}

export function frameOf(series: readonly ChartSeries[]): Frame {
  const moments = new Set<number>();
  const each = (take: (points: readonly Point[]) => void) => {
    for (const one of series) {
      take(one.points);
      if (one.previous) take(one.previous);
    }
  };
  each((points) => {
    for (const [at] of points) moments.add(at);
  });
  const times = [...moments].sort((a, b) => a - b);
  const place = new Map(times.map((at, index) => [at, index]));
  const spread = (points: readonly Point[]): Values => {
    const values: Values = new Array<number | null | undefined>(times.length).fill(undefined);
    for (const [at, value] of points) {
      const index = place.get(at);
      if (index !== undefined) values[index] = value;
    }
    return values;
  };
  const before = series.flatMap((one, index) =>
    one.previous ? [{ index, previous: true, values: spread(one.previous) }] : [],
  );
  const now = series.map((one, index) => ({ index, previous: false, values: spread(one.points) }));
  return { times, lines: [...before, ...now] };
}

/** Each on top of those before it. Where none of them has a value there is a gap. */
export function stackedValues(lines: readonly Values[]): Values[] {
  const sums: number[] = [];
  const any: boolean[] = [];
  return lines.map((values) =>
    values.map((value, at) => {
      if (typeof value === 'number') {
        sums[at] = (sums[at] ?? 0) + value;
        any[at] = true;
      }
      if (any[at]) return sums[at] ?? 0;
      return value === null ? null : undefined;
    }),
  );
}

/**
 * The frame with what is drawn of the earlier span over a stack: its height alone. The lines of its parts would
 * each be held against the height of another part.
 */
export function withHeightBefore({ times, lines }: Frame): Frame {
  const before = lines.filter((line) => line.previous);
  const [first] = before;
  const values = stackedValues(before.map((line) => line.values)).at(-1);
  if (!first || !values) return { times, lines };
  return { times, lines: [{ ...first, values }, ...lines.filter((line) => !line.previous)] };
}

/** Values with a gap on either side: a line would not show them. */
export function lonely(values: Values): number[] {
  const found: number[] = [];
  let before: number | null = null;
  let open = -1;
  values.forEach((value, at) => {
    if (value === undefined) return;
    if (value === null) {
      if (open >= 0) found.push(open);
      open = -1;
      before = null;
      return;
    }
    open = before === null ? at : -1;
    before = value;
  });
  if (open >= 0) found.push(open);
  return found;
}

/** The value at a moment, or at the last one before it that this line has. */
export function valueAt(values: Values, index: number): number | null {
  for (let at = Math.min(index, values.length - 1); at >= 0; at -= 1) {
    const value = values[at];
    if (value !== undefined) return value;
  }
  return null;
}

export function lastValue(values: Values): number | null {
  for (let at = values.length - 1; at >= 0; at -= 1) {
    const value = values[at];
    if (typeof value === 'number') return value;
  }
  return null;
}

export function total(values: Values): number | null {
  const numbers = values.filter((value) => typeof value === 'number');
  return numbers.length > 0 ? numbers.reduce((sum, value) => sum + value, 0) : null;
}

/** How much more than before, as a share of before; nothing when that cannot be told. */
export function deltaOf(now: number | null, before: number | null): number | null {
  if (now === null || before === null || before === 0) return null;
  return (now - before) / Math.abs(before);
}

export function isEmpty(series: readonly ChartSeries[]): boolean {
  const none = (points: readonly Point[]) => points.every(([, value]) => value === null);
  return series.every((one) => none(one.points) && none(one.previous ?? []));
}
