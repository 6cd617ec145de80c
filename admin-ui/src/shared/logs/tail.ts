// What is known of the end of a log: how each answer of the storage adds to it. Pure; `use-tail` asks.
import type { SearchAnswer } from '../../api/monitor';
import { type Partial as Lacking, partialOf } from '../search/partial';
import { isNarrowed, type Line, lineOf, MOST_LINES, merged, type Wanted } from './lines';

export interface Tail {
  lines: Line[];
  /** There are older ones. */
  more: boolean;
  /** So many were asked for as older ones: they stay. */
  earlier: number;
  /** When the storage last answered. */
  asOf: number;
  /** More came at once than could be fetched: some are not shown. */
  skipped: boolean;
  /** An answer was not whole: lines may lack until all of them are asked for again. */
  partial: Lacking | undefined;
  /** What could not be had later; what is there stays. */
  error: unknown;
}

/** What one look at what is new has brought. */
export interface Pulled {
  lines: readonly Line[];
  answers: readonly SearchAnswer[];
  /** Lines between these and those known were left out. */
  skips: boolean;
}

/** The newest lines, asked for as a page of `size`. */
export function begun({ hits, ...rest }: SearchAnswer, size: number, asOf: number): Tail {
  return {
    lines: hits.hits.map(lineOf).reverse(),
    more: hits.hits.length === size,
    earlier: 0,
    asOf,
    skipped: false,
    partial: partialOf([{ hits, ...rest }]),
    error: null,
  };
}

/** With lines that came since. Nothing is taken away from above while a reader looks back: then all are kept. */
export function renewed(before: Tail, pulled: Pulled, keepAll: boolean, asOf: number): Tail {
  const most = keepAll ? Number.POSITIVE_INFINITY : MOST_LINES + before.earlier;
  const lines = merged(before.lines, pulled.lines);
  const cut = lines.length > most;
  return {
    ...before,
    lines: cut ? lines.slice(lines.length - most) : lines,
    more: before.more || cut,
    asOf,
    skipped: before.skipped || pulled.skips,
    partial: before.partial ?? partialOf(pulled.answers),
    error: null,
  };
}

/** With lines from before the oldest, asked for as a page of `size`. */
export function lengthened(before: Tail, answer: SearchAnswer, size: number): Tail {
  return {
    ...before,
    lines: merged(before.lines, answer.hits.hits.map(lineOf)),
    more: answer.hits.hits.length === size,
    earlier: before.earlier + answer.hits.hits.length,
    partial: before.partial ?? partialOf([answer]),
    error: null,
  };
}

/** A log that says nothing for so long is told to be quiet. */
const QUIET_MS = 60_000;

/**
 * For how long there has been no line; nothing while lines come, or where there are none. Of a span that has ended,
 * or of some of the lines, the last one does not tell how long the log is quiet.
 */
export function quietFor({ lines, asOf }: Pick<Tail, 'lines' | 'asOf'>, of: Wanted): number | undefined {
  if (of.range || isNarrowed(of)) return undefined;
  const last = lines.at(-1);
  return last && asOf - last.at >= QUIET_MS ? asOf - last.at : undefined;
}
