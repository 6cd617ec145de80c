import { expect, test } from 'vitest';
import { seriesOf } from './histogram';

const words = { bad: 'Bad', warn: 'Warn', note: 'Info', off: 'Debug', none: 'None', all: 'Documents' };
const bucket = (key: number, doc_count: number, levels: Record<string, number>) => ({
  key,
  doc_count,
  levels: { buckets: Object.entries(levels).map(([level, count]) => ({ key: level, doc_count: count })) },
});

test('documents are stacked by how bad their level is, and the rest is told apart', () => {
  const series = seriesOf([bucket(0, 10, { error: 2, fatal: 1, info: 4 }), bucket(60, 1, { odd: 1 })], words);
  expect(series.map((one) => [one.label, one.points])).toEqual([
    [
      'Bad',
      [
        [0, 3],
        [60, 0],
      ],
    ],
    [
      'Info',
      [
        [0, 4],
        [60, 0],
      ],
    ],
    [
      'None',
      [
        [0, 3],
        [60, 1],
      ],
    ],
  ]);
});

test('without any level there is one series, without documents none', () => {
  expect(seriesOf([bucket(0, 5, {})], words).map((one) => one.label)).toEqual(['Documents']);
  expect(seriesOf([bucket(0, 0, {})], words)).toEqual([]);
});

test('what was before stands over what is now, with a band that has nothing any more', () => {
  const series = seriesOf([bucket(100, 2, { info: 2 })], words, {
    buckets: [bucket(40, 5, { error: 4, info: 1 })],
    by: 60,
  });
  expect(series.map((one) => [one.label, one.points, one.previous])).toEqual([
    ['Bad', [[100, 0]], [[100, 4]]],
    ['Info', [[100, 2]], [[100, 1]]],
  ]);
  expect(seriesOf([bucket(0, 5, {})], words)[0]?.previous).toBeUndefined();
});
