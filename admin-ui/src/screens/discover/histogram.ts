// Documents over time, by how bad their level is. Pure.
import type { ChartSeries } from '../../shared/chart/types';
import { type Bucket, bucketsOf, movedBy, type Point } from '../../shared/search/build';
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

/** The buckets of the span that is compared with, and how far before they are. */
export interface Before {
  buckets: readonly Bucket[];
  by: number;
}

/**
 * One series for each band that has documents, or had some before; without any level a single one in the chart's
 * own colour.
 */
export function seriesOf(
  buckets: readonly Bucket[],
  words: Record<Band | 'all', string>,
  before?: Before,
): ChartSeries[] {
  const count = (bucket: Bucket) => ({ at: Number(bucket.key), counts: countsOf(bucket) });
  const [now, then] = [buckets.map(count), before?.buckets.map(count)];
  const points = (of: typeof now, band: Band): Point[] => of.map(({ at, counts }) => [at, counts[band]]);
  const used = BANDS.filter((band) => [...now, ...(then ?? [])].some(({ counts }) => counts[band] > 0));
  const series = (id: string, label: string, colour: string, band: Band): ChartSeries => ({
    id,
    label,
    points: points(now, band),
    colour,
    ...(before && then ? { previous: movedBy(points(then, band), before.by) } : {}),
  });
  if (used.length === 0) return [];
  if (used.every((band) => band === 'none')) return [series('documents', words.all, 'var(--bar)', 'none')];
  return used.map((band) => series(`level ${band}`, words[band], COLOURS[band], band));
}
