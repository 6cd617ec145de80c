// What stands at the axes and beside values. Pure: the locale is an argument.
import { bytes, milliseconds, number } from '../../format/format';
import type { Unit } from './types';

export function valueText(value: number | null, unit: Unit, locale: string): string {
  if (value === null) return '–';
  switch (unit) {
    case 'bytes':
      return bytes(value, locale);
    case 'bytes/s':
      return `${bytes(value, locale)}/s`;
    case 'percent':
      return `${number(value, locale, Math.abs(value) >= 1 ? 1 : 2)} %`;
    case 'per second':
      return `${number(value, locale, digitsOf(value))}/s`;
    case 'ms':
      return milliseconds(value, locale, Math.abs(value) < 1_000 ? digitsOf(value) : secondsDigits(value));
    case 'count':
      return number(value, locale, digitsOf(value));
  }
}

function secondsDigits(ms: number): number {
  return Math.abs(ms) >= 10_000 ? 1 : 2;
}

function digitsOf(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || size >= 100) return 0;
  return size >= 1 ? 1 : size >= 0.01 ? 3 : 5;
}

export function deltaText(delta: number, locale: string): string {
  return new Intl.NumberFormat(locale, {
    style: 'percent',
    maximumFractionDigits: Math.abs(delta) < 0.1 ? 1 : 0,
    signDisplay: 'exceptZero',
  }).format(delta);
}

/** Steps of an axis: those of sizes are powers of two. */
export function stepsOf(unit: Unit): number[] {
  if (unit === 'bytes' || unit === 'bytes/s') {
    return Array.from({ length: 52 }, (_, power) => 2 ** power);
  }
  const steps: number[] = [];
  for (let power = unit === 'count' ? 0 : -4; power <= 15; power += 1) {
    for (const digit of [1, 2, 5]) steps.push(digit * 10 ** power);
  }
  return steps;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Moments of an axis, `step` apart: with the day where another one begins. */
export function momentTexts(moments: readonly number[], step: number, locale: string): string[] {
  const hour = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const clock = new Intl.DateTimeFormat(locale, step < MINUTE ? { ...hour, second: '2-digit' } : hour);
  const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
  let last = '';
  return moments.map((moment, index) => {
    const at = new Date(moment);
    const date = at.toDateString();
    const changed = index > 0 && date !== last;
    last = date;
    if (step >= DAY) return day.format(at);
    return changed ? `${clock.format(at)}\n${day.format(at)}` : clock.format(at);
  });
}

/** A moment in full, the day only when it is another than that of `now`. */
export function momentText(ms: number, locale: string, now: number): string {
  const at = new Date(ms);
  const same = at.toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(same ? {} : { month: 'short', day: 'numeric' }),
  }).format(at);
}
