import { expect, test } from 'vitest';
import type { Json, SearchAnswer } from '../../api/monitor';
import { bodyOf, hasValues, type Metric, previousOf, seriesOf, summed } from './query';

const range = { from: 600_000, to: 1_200_000, bucketMs: 5_000 };
const memory: Metric = {
  stream: 'metrics-docker.memory-default',
  filter: [{ term: { 'host.name': 'h' } }],
  measures: [{ id: 'used', label: 'Used', field: 'docker.memory.usage.total', as: 'level' }],
};
const read: Metric = {
  ...memory,
  measures: [{ id: 'read', label: 'Read', field: 'docker.diskio.read.bytes', as: 'rate' }],
};

function answered(aggregations: Record<string, Json>): SearchAnswer {
  return { took: 1, hits: { hits: [] }, aggregations };
}

function counter(values: (number | null)[]): Json {
  return {
    buckets: values.map((value, index) => ({
      key: index * 10_000,
      doc_count: value === null ? 0 : 1,
      at: { value: value === null ? null : index * 10_000 + 9_000 },
      read: { value },
    })),
  };
}

test('buckets are never shorter than what is between two samples', () => {
  expect(JSON.stringify(bodyOf(memory, range))).toContain('"fixed_interval":"10000ms"');
  expect(JSON.stringify(bodyOf({ ...memory, periodMs: 60_000 }, range))).toContain('"60000ms"');
  expect(JSON.stringify(bodyOf(memory, { ...range, bucketMs: 300_000 }))).toContain('"300000ms"');
});

test('a counter is asked for from one bucket earlier, a level is not', () => {
  expect(JSON.stringify(bodyOf(read, range))).toContain('"gte":590000');
  expect(JSON.stringify(bodyOf(memory, range))).toContain('"gte":600000');
});

test('a counter becomes its growth per second, and a restart becomes a gap', () => {
  const [series] = seriesOf(read, answered({ over: counter([1_000, 2_000, null, 5_000, 100, 1_100]) }));
  expect(series?.points).toEqual([
    [10_000, 100],
    [20_000, null],
    [30_000, 150],
    [40_000, null],
    [50_000, 100],
  ]);
});

test('a share becomes a percentage, and nothing stays nothing', () => {
  const share: Metric = { ...memory, measures: [{ ...memory.measures[0], times: 100 } as never] };
  const over = {
    buckets: [
      { key: 0, doc_count: 1, used: { value: 0.25 } },
      { key: 10_000, doc_count: 0, used: { value: null } },
    ],
  };
  expect(seriesOf(share, answered({ over }))[0]?.points).toEqual([
    [0, 25],
    [10_000, null],
  ]);
});

test('each value of a field has a line of its own, or all have one together', () => {
  const split = {
    buckets: [
      { key: 'eth0', doc_count: 1, over: counter([0, 10_000]) },
      { key: 'eth1', doc_count: 1, over: counter([0, 20_000]) },
    ],
  };
  const apart = seriesOf({ ...read, split: { field: 'f', most: 5 } }, answered({ split }));
  expect(apart.map((one) => [one.label, one.points])).toEqual([
    ['eth0', [[10_000, 1_000]]],
    ['eth1', [[10_000, 2_000]]],
  ]);
  const together = seriesOf({ ...read, split: { field: 'f', most: 5, together: true } }, answered({ split }));
  expect(together.map((one) => [one.label, one.points])).toEqual([['Read', [[10_000, 3_000]]]]);
});

test('a sum has a value where any part has one', () => {
  expect(
    summed([
      [
        [0, null],
        [1, 2],
      ],
      [
        [0, null],
        [1, null],
        [2, 5],
      ],
    ]),
  ).toEqual([
    [0, null],
    [1, 2],
    [2, 5],
  ]);
});

test('the earlier span lies over the one that is shown', () => {
  const before = previousOf(read, answered({ over: counter([0, 10_000]) }), 86_400_000);
  expect(before.get('read')).toEqual([[86_410_000, 1_000]]);
});

test('what was never measured has no values', () => {
  expect(hasValues(seriesOf(read, undefined))).toBe(false);
  expect(hasValues(seriesOf(read, answered({ over: counter([1, 2]) })))).toBe(true);
});
