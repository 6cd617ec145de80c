// Numbers, sizes and times by locale. Pure: the locale and the time now are arguments.
import { fill } from '../i18n/language';
import { en, ko } from './words';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(value: bigint | number, locale: string): string {
  let rest = Number(value);
  let unit = 0;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : 1;
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(rest);
  return `${number} ${UNITS[unit]}`;
}

export function number(value: bigint | number, locale: string, digits = 0): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

export function percent(part: number, whole: number, locale: string): string {
  if (whole <= 0) return '–';
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(part / whole);
}

type TimeUnit = keyof typeof en;

function withUnit(n: string, unit: TimeUnit, locale: string): string {
  return fill((locale.startsWith('ko') ? ko : en)[unit], { n }, locale);
}

/** As charts tell it, with so many digits at most: `420 ms`, `3.24 s`. */
export function milliseconds(ms: number, locale: string, digits: number): string {
  return Math.abs(ms) >= 1_000
    ? withUnit(number(ms / 1_000, locale, digits), 'unit.s', locale)
    : withUnit(number(ms, locale, digits), 'unit.ms', locale);
}

/** `420 ms`, `3.2 s`, `2 min 5 s`, `4 h`, `3 d 2 h`; in Korean `2분 5초`. */
export function duration(ms: number, locale: string): string {
  const one = (n: number, unit: TimeUnit) => withUnit(number(n, locale), unit, locale);
  const two = (n: number, unit: TimeUnit, rest: number, smaller: TimeUnit) =>
    rest === 0 ? one(n, unit) : `${one(n, unit)} ${one(rest, smaller)}`;
  if (ms < 1_000) return one(Math.max(0, Math.round(ms)), 'unit.ms');
  const seconds = ms / 1_000;
  if (seconds < 60) return withUnit(number(seconds, locale, seconds < 10 ? 1 : 0), 'unit.s', locale);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, 'unit.min', Math.floor(seconds % 60), 'unit.s');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, 'unit.h', minutes % 60, 'unit.min');
  return two(Math.floor(hours / 24), 'unit.d', hours % 24, 'unit.h');
}

const PARTS: [unit: TimeUnit, ms: number][] = [
  ['unit.d', 86_400_000],
  ['unit.h', 3_600_000],
  ['unit.min', 60_000],
  ['unit.s', 1_000],
];

/** All of a duration to the second, without parts that are nothing: `7 d`, `1 d 12 h`; in Korean `1일 12시간`. */
export function wholeDuration(ms: number, locale: string): string {
  let rest = ms;
  const parts: string[] = [];
  for (const [unit, length] of PARTS) {
    const count = Math.floor(rest / length);
    if (count > 0) parts.push(withUnit(number(count, locale), unit, locale));
    rest -= count * length;
  }
  return parts.join(' ') || withUnit('0', 'unit.s', locale);
}

/** A duration with its largest unit alone. */
export function age(ms: number, locale: string): string {
  const one = (n: number, unit: TimeUnit) => withUnit(number(n, locale), unit, locale);
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return one(seconds, 'unit.s');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return one(minutes, 'unit.min');
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? one(hours, 'unit.h') : one(Math.floor(hours / 24), 'unit.d');
}

export function clock(at: Date, locale: string, now: Date): string {
  const sameDay = at.toDateString() === now.toDateString();
  return new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(sameDay ? {} : { year: 'numeric', month: '2-digit', day: '2-digit' }),
  }).format(at);
}
