// Figures of alerts as people read them: those of the node have all their digits. Pure.
import { bytes } from '../../format/format';
import type { WatchSpec } from '../../generated/wharf/monitor/v1/watches_pb';
import type { Unit } from '../../shared/chart/types';

/** What the value of a watch is. */
export type Measured = 'number' | 'percent' | 'bytes';

export const UNITS: Record<Measured, Unit> = { number: 'count', percent: 'percent', bytes: 'bytes' };

/** As the watch itself says it in its messages; a ratio is a share anyhow. */
export function measuredBy(spec: WatchSpec | undefined): Measured {
  if (spec?.condition?.kind.value?.measure?.of.case === 'ratio') return 'percent';
  for (const action of spec?.actions ?? []) {
    const said = /\{\{\s*value\s*\|\s*(percent|bytes)\s*\}\}/.exec(`${action.subject}\n${action.body}`);
    if (said) return said[1] === 'bytes' ? 'bytes' : 'percent';
  }
  return 'number';
}

function written(value: number, measured: Measured, locale: string): string {
  if (measured === 'bytes') return bytes(value, locale);
  const format = new Intl.NumberFormat(locale, { maximumSignificantDigits: 4 });
  return measured === 'percent'
    ? `${format.format(Number((value * 100).toFixed(1)))} %`
    : format.format(value);
}

/** The numbers of a text with the digits that matter; the rest of it stays. */
export function figure(text: string, measured: Measured = 'number', locale: string = 'en'): string {
  return text.replace(/-?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi, (number) => {
    const value = Number(number);
    if (!Number.isFinite(value)) return number;
    // Whole numbers are counts and keep their digits.
    if (measured === 'number' && Number.isInteger(value)) return new Intl.NumberFormat(locale).format(value);
    return written(value, measured, locale);
  });
}

/** A value: a text that is no number stays as it is. */
export function valueText(text: string, measured: Measured, locale: string): string {
  return numberOf(text) === null ? text : figure(text, measured, locale);
}

/** What can be drawn of a value; nothing of a text or a missing one. */
export function numberOf(value: string): number | null {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  return Number.isFinite(number) ? number : null;
}

/** The number in `> 0.9`. */
export function limitOf(threshold: string): number | null {
  return numberOf(threshold.replace(/^[^\d.-]+/, ''));
}

/** A threshold: its sign, and its value as the value is told. */
export function thresholdText(threshold: string, measured: Measured, locale: string): string {
  return limitOf(threshold) === null ? threshold : figure(threshold, measured, locale);
}
