// A value in words, as charts have it, but for long times.
import { useMemo } from 'react';
import { clock, duration } from '../../../format/format';
import { useI18n } from '../../../i18n/i18n';
import { deltaText, valueText } from '../../../shared/chart/axis';
import { deltaOf } from '../../../shared/chart/frame';
import type { Unit } from '../../../shared/chart/types';
import type { Words } from './options';

const MINUTE = 60_000;

export function wordsOf(value: number | null, unit: Unit, locale: string): string {
  return unit === 'ms' && value !== null && value >= MINUTE
    ? duration(value, locale)
    : valueText(value, unit, locale);
}

/** The words of a panel's values; the same ones until the language is another. */
export function useWords(unit: Unit = 'count'): Words {
  const { t, locale } = useI18n();
  return useMemo(() => {
    const value = (one: number | null) => wordsOf(one, unit, locale);
    const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
    return {
      value,
      time: (ms) => clock(new Date(ms), locale, new Date()),
      share: (part) => percent.format(part),
      before: (now, before) => {
        const delta = deltaOf(now, before);
        const change = delta === null ? '' : ` (${deltaText(delta, locale)})`;
        return `${t('chart.previous')} ${value(before)}${change}`;
      },
    };
  }, [unit, t, locale]);
}
