import { expect, test } from 'vitest';
import type { Row } from '../frame';
import { pieData, pieOption, treeData, treeOf, type Words } from './options';

const words: Words = {
  value: (value) => `${value}`,
  time: (ms) => `${ms}`,
  share: (part) => `${part * 100} %`,
  before: () => '',
};
const row = (keys: string[], value: number | null): Row => ({
  id: keys.join(' · '),
  label: keys.join(' · '),
  keys,
  values: [value],
});
const tokens = {} as Parameters<ReturnType<typeof pieOption>>[0];

test('the keys go to the pieces that the pie has, and tell their share', () => {
  const rows = [row(['a'], 3), row(['none'], 0), row(['unknown'], null), row(['b'], 1)];
  expect(pieData(rows, words).map((one) => [one.key, one.told(), one.index])).toEqual([
    ['a', 'a: 3, 75 %', 0],
    ['b', 'b: 1, 25 %', 1],
  ]);
  const [series] = pieOption(rows, () => '#000', words)(tokens).series as { data: { name: string }[] }[];
  expect(series?.data.map((one) => one.name)).toEqual(['a', 'b']);
});

test('the keys go to the leaves of a treemap, counted as ECharts counts its nodes', () => {
  const rows = [row(['h1', 'a'], 2), row(['h2', 'c'], 1), row(['h1', 'b'], 3)];
  // 0 is the root of all, 1 the first host, 4 the second one.
  expect(
    treeData(
      treeOf(rows, () => '#000'),
      words,
    ).map((one) => [one.told(), one.index]),
  ).toEqual([
    ['h1 · a: 2', 2],
    ['h1 · b: 3', 3],
    ['h2 · c: 1', 5],
  ]);
  const flat = treeData(
    treeOf([row(['a'], 2), row(['b'], 1)], () => '#000'),
    words,
  );
  expect(flat.map((one) => one.index)).toEqual([1, 2]);
});
