// Spans of time as people write them and as queries want them. Pure: the time now is an argument.

export interface RawRange {
  from: string;
  to: string;
}

export interface Instants {
  from: number;
  to: number;
}

export type Compare = 'period' | 'day' | 'week';
export const COMPARES: readonly Compare[] = ['period', 'day', 'week'];

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };

/** The shortest span that is shown. */
export const SHORTEST_MS = SECOND;

const RELATIVE = /^now(?:([+-])(\d{1,6})([smhdw]))?(?:\/([mhdw]))?$/;

/** The reader's own minute, hour, day or week (from Monday on) begins. */
function beginning(ms: number, unit: string): number {
  const at = new Date(ms);
  if (unit === 'm') at.setSeconds(0, 0);
  else if (unit === 'h') at.setMinutes(0, 0, 0);
  else at.setHours(0, 0, 0, 0);
  if (unit === 'w') at.setDate(at.getDate() - ((at.getDay() + 6) % 7));
  return at.getTime();
}

/** `now`, `now-15m`, `now/d`, an ISO date or milliseconds; nothing when it is none of them. */
export function instantOf(text: string, now: number): number | undefined {
  const relative = RELATIVE.exec(text.trim());
  if (relative) {
    const [, sign, amount, unit = '', round] = relative;
    const moved = now + (sign ? (sign === '-' ? -1 : 1) * Number(amount) * (UNITS[unit] ?? 0) : 0);
    return round ? beginning(moved, round) : moved;
  }
  if (/^\d{12,14}$/.test(text)) return Number(text);
  // Bare numbers are years to the browser.
  if (!/^\d{4}-\d{2}-\d{2}/.test(text.trim())) return undefined;
  const at = Date.parse(text.trim());
  return Number.isNaN(at) ? undefined : at;
}

export function isRelative(text: string): boolean {
  return RELATIVE.test(text.trim());
}

/** Whether it ends now, whenever that is. */
export function goesOn({ to }: RawRange): boolean {
  return to.trim() === 'now';
}

/** What cannot be read, or ends before it begins, is `other`. */
export function rangeFrom(raw: RawRange, now: number, other: RawRange): Instants & { raw: RawRange } {
  const read = (one: RawRange) => {
    const from = instantOf(one.from, now);
    const to = instantOf(one.to, now);
    return from !== undefined && to !== undefined && to - from >= SHORTEST_MS
      ? { from, to, raw: one }
      : undefined;
  };
  return read(raw) ?? read(other) ?? { from: now - HOUR, to: now, raw: { from: 'now-1h', to: 'now' } };
}

/** How far back that is which a span is compared with. */
export function backBy(compare: Compare, span: number): number {
  if (compare === 'day') return DAY;
  if (compare === 'week') return 7 * DAY;
  return span;
}

const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  DAY,
  7 * DAY,
];

/** The finest step of the clock that cuts a span into at most this many. */
export function bucketFor(span: number, atMost = 120, atLeastMs = SECOND): number {
  const wanted = Math.max(span / atMost, atLeastMs);
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / (7 * DAY)) * 7 * DAY;
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** The window before or after, as long as this one. */
export function shifted({ from, to }: Instants, windows: number): RawRange {
  const by = (to - from) * windows;
  return { from: isoOf(from + by), to: isoOf(to + by) };
}

/** Twice as long around the same middle, not beyond now. */
export function widened({ from, to }: Instants, now: number): RawRange {
  const half = (to - from) / 2;
  return { from: isoOf(from - half), to: isoOf(Math.min(to + half, Math.max(now, to))) };
}

/** Presets: their words are `time.last.…`. */
export const PRESETS = [
  { from: 'now-15m', to: 'now', key: 'time.last15m' },
  { from: 'now-1h', to: 'now', key: 'time.last1h' },
  { from: 'now-4h', to: 'now', key: 'time.last4h' },
  { from: 'now-12h', to: 'now', key: 'time.last12h' },
  { from: 'now-24h', to: 'now', key: 'time.last24h' },
  { from: 'now-3d', to: 'now', key: 'time.last3d' },
  { from: 'now-7d', to: 'now', key: 'time.last7d' },
  { from: 'now-30d', to: 'now', key: 'time.last30d' },
  { from: 'now/d', to: 'now', key: 'time.today' },
  { from: 'now-1d/d', to: 'now/d', key: 'time.yesterday' },
] as const;

/** Seconds; 0: never by itself. */
export const REFRESHES = [0, 5, 10, 30, 60, 300] as const;
