// Documents in order: newest first, each once; how many of them come in a second. Pure.
import { atOf, type Hit, keyOfHit, offsetOf } from './document';

/** Newest first; of one millisecond the one that was written last. */
export function newestFirst(a: Hit, b: Hit): number {
  return atOf(b) - atOf(a) || offsetOf(b) - offsetOf(a);
}

/** Each document once, where it was first. */
export function distinct(hits: readonly Hit[]): Hit[] {
  const seen = new Set<string>();
  return hits.filter((hit) => seen.size !== seen.add(keyOfHit(hit)).size);
}

/** Both in order, each document once, at most so many of the newest. */
export function merged(newer: readonly Hit[], known: readonly Hit[], most: number): Hit[] {
  if (newer.length === 0) return known.length > most ? known.slice(0, most) : [...known];
  return distinct([...newer, ...known])
    .sort(newestFirst)
    .slice(0, most);
}

/** The lines around one: those before and after it in the order they were written. */
export function around(before: readonly Hit[], here: Hit, after: readonly Hit[]): Hit[] {
  return merged([...before, here], after, before.length + after.length + 1).reverse();
}

export interface Arrival {
  at: number;
  count: number;
}

const RATE_OVER_MS = 20_000;

/** Arrivals that the rate is of. */
export function recent(arrivals: readonly Arrival[], now: number): Arrival[] {
  return arrivals.filter((one) => one.at > now - RATE_OVER_MS);
}

/** In a second; nothing before two looks were made. */
export function rateOf(arrivals: readonly Arrival[], now: number): number | undefined {
  const counted = recent(arrivals, now);
  const first = counted[0];
  if (!first || counted.length < 2) return undefined;
  // The first look counts what came before it.
  const sum = counted.slice(1).reduce((all, one) => all + one.count, 0);
  const last = counted.at(-1)?.at ?? now;
  return last > first.at ? sum / ((last - first.at) / 1_000) : undefined;
}

/** What is followed: lines that are shown, lines that wait while the reader reads, how many came when. */
export interface Tail {
  fresh: Hit[];
  held: Hit[];
  arrivals: Arrival[];
  /** Lines that came faster than they could be had. */
  skipped: number;
}

export const NO_TAIL: Tail = { fresh: [], held: [], arrivals: [], skipped: 0 };

/** After a look: `hits` of `total` new lines came. */
export function arrived(
  tail: Tail,
  hits: readonly Hit[],
  total: number,
  at: number,
  { paused, most }: { paused: boolean; most: number },
): Tail {
  return {
    fresh: paused ? tail.fresh : merged([...hits, ...tail.held], tail.fresh, most),
    held: paused ? merged(hits, tail.held, most) : [],
    arrivals: [...recent(tail.arrivals, at), { at, count: total }],
    skipped: tail.skipped + Math.max(0, total - hits.length),
  };
}

export function released(tail: Tail, most: number): Tail {
  return tail.held.length === 0 ? tail : { ...tail, fresh: merged(tail.held, tail.fresh, most), held: [] };
}
