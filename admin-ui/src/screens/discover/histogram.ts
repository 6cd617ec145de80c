// Documents over time, by how bad their level is. Pure.
import type { ChartSeries } from '../../shared/chart/types';
import { type Bucket, bucketsOf, type Point } from '../../shared/search/build';
import { type LevelTone, toneOf } from './document';

export type Band = LevelTone | 'none';

/** From the bottom of the stack to its top: what is bad stands on the ground, where it can be compared. */
export const BANDS: readonly Band[] = ['bad', 'warn', 'note', 'off', 'none'];

const COLOURS: Record<Band, string> = {
  bad: 'var(--bad)',
  warn: 'var(--warn)',
  note: 'var(--bar)',
  off: 'var(--hairline-strong)',
  none: 'var(--text-quiet)',
};

function countsOf(bucket: Bucket): Record<Band, number> {
  const counts: Record<Band, number> = { bad: 0, warn: 0, note: 0, off: 0, none: bucket.doc_count };
  for (const level of bucketsOf(bucket, 'levels')) {
    const band = toneOf(String(level.key)) ?? 'none';
    if (band === 'none') continue;
    counts[band] += level.doc_count;
    counts.none -= level.doc_count;
  }
  return counts;
}

/** One series for each band that has documents; without any level a single one in the chart's own colour. */
export function seriesOf(buckets: readonly Bucket[], words: Record<Band | 'all', string>): ChartSeries[] {
  const counted = buckets.map((bucket) => ({ at: Number(bucket.key), counts: countsOf(bucket) }));
  const points = (band: Band): Point[] => counted.map(({ at, counts }) => [at, counts[band]]);
  const used = BANDS.filter((band) => counted.some(({ counts }) => counts[band] > 0));
  if (used.length === 0) return [];
  if (used.every((band) => band === 'none')) {
    return [{ id: 'documents', label: words.all, points: points('none'), colour: 'var(--bar)' }];
  }
  return used.map((band) => ({
    id: `level ${band}`,
    label: words[band],
    points: points(band),
    colour: COLOURS[band],
  }));
}
