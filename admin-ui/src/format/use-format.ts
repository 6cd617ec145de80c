// The pure forms with the locale that is chosen.
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { useI18n } from '../i18n/i18n';
import { bytes, clock, number, percent } from './format';

export interface Formats {
  bytes: (value: bigint | number) => string;
  number: (value: bigint | number, digits?: number) => string;
  percent: (part: number, whole: number) => string;
  clock: (at: Timestamp) => string;
}

export function useFormat(): Formats {
  const { locale } = useI18n();
  return {
    bytes: (value) => bytes(value, locale),
    number: (value, digits) => number(value, locale, digits),
    percent: (part, whole) => percent(part, whole, locale),
    clock: (at) => clock(timestampDate(at), locale, new Date()),
  };
}

export function msOf(at: Timestamp | undefined): number {
  return at ? timestampDate(at).getTime() : 0;
}
