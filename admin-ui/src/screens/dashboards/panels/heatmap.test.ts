import { expect, test } from 'vitest';
import type { Series } from '../frame';
import { heatData, heatOf, spanOf } from './heatmap';
import type { Words } from './options';

const MINUTE = 60_000;
const words: Words = {
  value: (value) => `${value}`,
  time: (ms) => `${ms / MINUTE} min`,
  share: (part) => `${part}`,
  before: (now, before) => `before ${before} (${(now ?? 0) - (before ?? 0)})`,
};
const series = (label: string, points: Series['points'], previous?: Series['points']): Series => ({
  id: label,
  label,
  keys: [label],
  points,
  ...(previous ? { previous } : {}),
});

test('a cell has its moment, its row and what was there before', () => {
  const heat = heatOf(
    [
      series(
        'a',
        [
          [MINUTE, 1],
          [2 * MINUTE, 4],
        ],
        [[2 * MINUTE, 3]],
      ),
      series('b', [
        [MINUTE, null],
        [3 * MINUTE, 7],
      ]),
    ],
    MINUTE,
  );
  expect(heat.times).toEqual([MINUTE, 2 * MINUTE, 3 * MINUTE]);
  expect(heat.cells).toEqual([
    { column: 0, row: 0, value: 1, before: null },
    { column: 1, row: 0, value: 4, before: 3 },
    { column: 2, row: 1, value: 7, before: undefined },
  ]);
  expect(heatData(heat, words).map((one) => [one.told(), one.index, one.cell])).toEqual([
    ['a, 1 min, 1, before null (1)', 0, { column: 0, row: 0 }],
    ['a, 2 min, 4, before 3 (1)', 1, { column: 1, row: 0 }],
    ['b, 3 min, 7', 2, { column: 2, row: 1 }],
  ]);
});

test('what was moved by a span of no whole buckets is of the bucket that is nearest', () => {
  const heat = heatOf([series('a', [[2 * MINUTE, 4]], [[2 * MINUTE + 20_000, 9]])], MINUTE);
  expect(heat.cells[0]?.before).toBe(9);
});

test('columns are shown as the span that they are of, the last one whole', () => {
  const heat = heatOf(
    [
      series('a', [
        [MINUTE, 1],
        [2 * MINUTE, 1],
        [3 * MINUTE, 1],
      ]),
    ],
    MINUTE,
  );
  expect(spanOf(heat, MINUTE, 1, 2)).toEqual([2 * MINUTE, 4 * MINUTE]);
  expect(spanOf(heat, MINUTE, 1, 1)).toEqual([2 * MINUTE, 3 * MINUTE]);
});
