// The pure forms with the locale that is chosen.
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { useI18n } from '../i18n/i18n';
import { age, bytes, clock, duration, number, percent, wholeDuration } from './format';

export interface Formats {
  bytes: (value: bigint | number) => string;
  number: (value: bigint | number, digits?: number) => string;
  percent: (part: number, whole: number) => string;
  clock: (at: Timestamp) => string;
  /** Of milliseconds. */
  duration: (ms: number) => string;
  /** With all its parts, as somebody has set it. */
  wholeDuration: (ms: number) => string;
  age: (ms: number) => string;
}

export function useFormat(): Formats {
  const { locale } = useI18n();
  return {
    bytes: (value) => bytes(value, locale),
    number: (value, digits) => number(value, locale, digits),
    percent: (part, whole) => percent(part, whole, locale),
    clock: (at) => clock(timestampDate(at), locale, new Date()),
    duration: (ms) => duration(ms, locale),
    wholeDuration: (ms) => wholeDuration(ms, locale),
    age: (ms) => age(ms, locale),
  };
}

export function msOf(at: Timestamp | undefined): number {
  return at ? timestampDate(at).getTime() : 0;
}
