// A value in words, as charts have it, but for long times.
import { duration } from '../../../format/format';
import { valueText } from '../../../shared/chart/axis';
import type { Unit } from '../../../shared/chart/types';

const MINUTE = 60_000;

export function wordsOf(value: number | null, unit: Unit, locale: string): string {
  return unit === 'ms' && value !== null && value >= MINUTE
    ? duration(value, locale)
    : valueText(value, unit, locale);
}
