// Changes over time by kind: what is counted, and what a chart shows of it. Pure.
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { CountEventsResponse } from '../../generated/wharf/v1/events_pb';
import type { ChartSeries } from '../../shared/chart/types';
import { movedBy, type Point, type Span } from '../../shared/search/build';
import { toneOf } from '../../shared/status/event-tone';
import { bucketFor } from '../../shared/time/range';

const BARS = 60;
/** As many as have a colour of their own; the others are one series. */
export const MOST_KINDS = 6;
export const OTHERS = 'others';

/** A span that is cut by the clock, so that bars stay what they are while time goes on. */
export interface Cut extends Span {
  bucketMs: number;
  spans: number;
}

export function cutOf({ from, to }: Span): Cut {
  const bucketMs = bucketFor(to - from, BARS);
  const begin = Math.floor(from / bucketMs) * bucketMs;
  const end = Math.ceil(to / bucketMs) * bucketMs;
  return { from: begin, to: end, bucketMs, spans: (end - begin) / bucketMs };
}

/** Where the list ends: now, where the span does, so that a renewal asks for more; else with the last bar. */
export function endOf(cut: Cut, to: number, endsNow: boolean): number {
  return endsNow ? to : cut.to;
}

/** The same as long before. */
export function earlier(cut: Cut, byMs: number): Cut {
  return { ...cut, from: cut.from - byMs, to: cut.to - byMs };
}

export interface Counts {
  /** By kind, then by the begin of the bar. */
  kinds: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Before it nothing is known; none: nothing is held. */
  heldSince: number | undefined;
}

export function countsOf(answer: CountEventsResponse): Counts {
  const kinds = new Map<string, Map<number, number>>();
  for (const { at, kind, count } of answer.counts) {
    if (!at) continue;
    const bars = kinds.get(kind) ?? new Map<number, number>();
    bars.set(timestampMs(at), Number(count));
    kinds.set(kind, bars);
  }
  return { kinds, heldSince: answer.heldSince && timestampMs(answer.heldSince) };
}

const TONES = ['bad', 'warn', 'good', 'off'];

function rank(kind: string): number {
  return TONES.indexOf(toneOf(kind, 'done'));
}

function sum(bars: ReadonlyMap<number, number> | undefined): number {
  return [...(bars?.values() ?? [])].reduce((all, one) => all + one, 0);
}

/**
 * The kinds there are and the one that is chosen, also where there is none of it. What is bad comes first: it stands on
 * the ground, where it can be compared.
 */
export function kindsOf(now: Counts | undefined, before?: Counts, chosen?: string): string[] {
  const counted = [now, before].flatMap((one) => [...(one?.kinds.keys() ?? [])]);
  const kinds = new Set(chosen && chosen !== OTHERS ? [...counted, chosen] : counted);
  return [...kinds].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

// Of the charts' own colours.
const [BLUE, AMBER, GREEN, PINK, SKY, RED] = [0, 1, 2, 3, 4, 5] as const;

/** The colours that suit a tone, the best first. */
const SUITING: Readonly<Record<string, readonly number[]>> = {
  bad: [RED, PINK],
  warn: [AMBER, SKY],
  good: [GREEN, BLUE],
  off: [BLUE, SKY],
};

/** The colours of kinds that are shown together, each another one: what is bad is not green. */
export function slotsOf(kinds: readonly string[]): Map<string, number> {
  const slots = new Map<string, number>();
  const free = new Set<number>([RED, AMBER, GREEN, PINK, SKY, BLUE]);
  for (const suits of [true, false]) {
    for (const kind of kinds) {
      if (slots.has(kind)) continue;
      const slot = (suits ? SUITING[toneOf(kind, 'done')] : [...free])?.find((one) => free.has(one));
      if (slot === undefined) continue;
      slots.set(kind, slot);
      free.delete(slot);
    }
  }
  return slots;
}

/** Those with a series of their own: the most frequent ones, and the one that is chosen. */
function own(kinds: readonly string[], counts: Counts, chosen: string | undefined): string[] {
  if (kinds.length <= MOST_KINDS) return [...kinds];
  const often = [...kinds].sort((a, b) => {
    if (a === chosen || b === chosen) return a === chosen ? -1 : 1;
    return sum(counts.kinds.get(b)) - sum(counts.kinds.get(a));
  });
  const kept = new Set(often.slice(0, MOST_KINDS));
  return kinds.filter((kind) => kept.has(kind));
}

/** The bars of some kinds together; a gap where nothing is held any more. */
function pointsOf(kinds: readonly string[], counts: Counts, cut: Cut): Point[] {
  return Array.from({ length: cut.spans }, (_, at): Point => {
    const begin = cut.from + at * cut.bucketMs;
    const { heldSince } = counts;
    if (heldSince === undefined || begin + cut.bucketMs <= heldSince) return [begin, null];
    return [begin, kinds.reduce((all, kind) => all + (counts.kinds.get(kind)?.get(begin) ?? 0), 0)];
  });
}

export interface Counted {
  counts: Counts;
  cut: Cut;
  /** What was asked, but for the moments that go on with the time. */
  of: string;
}

export interface CountedBefore extends Counted {
  /** So long before it was. */
  by: number;
}

/** The span before as it was counted last, until that of a renewal is there; not one of another question. */
export function beside(now: Counted | undefined, before: CountedBefore | undefined) {
  return before && before.of === now?.of ? before : undefined;
}

export interface Looks {
  /** What a kind is called. */
  kind: (kind: string) => string;
  others: string;
  colour: (slot: number) => string;
}

export function seriesOf(
  now: Counted,
  before: CountedBefore | undefined,
  chosen: string | undefined,
  { kind: wordOf, others, colour }: Looks,
): ChartSeries[] {
  const kinds = kindsOf(now.counts, before?.counts, chosen);
  const shown = own(kinds, now.counts, chosen);
  const rest = kinds.filter((kind) => !shown.includes(kind));
  const slots = slotsOf(shown);
  const lineOf = (id: string, label: string, of: readonly string[], tint: string): ChartSeries => ({
    id,
    label,
    colour: tint,
    points: pointsOf(of, now.counts, now.cut),
    ...(before
      ? {
          // Of before a renewal, it begins a bar too early.
          previous: movedBy(pointsOf(of, before.counts, before.cut), before.by).filter(
            ([at]) => at >= now.cut.from && at < now.cut.to,
          ),
        }
      : {}),
  });
  return [
    ...shown.map((kind) => lineOf(kind, wordOf(kind), [kind], colour(slots.get(kind) ?? 0))),
    ...(rest.length > 0 ? [lineOf(OTHERS, others, rest, 'var(--text-quiet)')] : []),
  ];
}
