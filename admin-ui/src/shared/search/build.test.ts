import { expect, test } from 'vitest';
import * as build from './build';

const SPAN = { from: 1_000, to: 61_000, bucketMs: 10_000 };

test('the end of a span is not part of it, and empty buckets are asked for', () => {
  expect(build.rangeOf(SPAN)).toEqual({
    range: { '@timestamp': { gte: 1_000, lt: 61_000, format: 'epoch_millis' } },
  });
  expect(build.dateHistogram(SPAN, { cpu: build.metric('avg', 'docker.cpu.total.pct') })).toEqual({
    date_histogram: {
      field: '@timestamp',
      fixed_interval: '10000ms',
      min_doc_count: 0,
      extended_bounds: { min: 1_000, max: 60_999 },
    },
    aggs: { cpu: { avg: { field: 'docker.cpu.total.pct' } } },
  });
});

const ANSWER = {
  hosts: {
    buckets: [
      {
        key: 'a',
        doc_count: 3,
        time: {
          buckets: [
            {
              key: 1_000,
              doc_count: 2,
              cpu: { value: 0.5 },
              latency: { values: { '95.0': 7, '99.0': null, '99.95': 9 } },
            },
            { key: 11_000, doc_count: 0, cpu: { value: null } },
          ],
        },
      },
    ],
  },
};

test('values of buckets are read, and what was not measured is nothing', () => {
  const [host] = build.bucketsOf(ANSWER, 'hosts');
  const time = build.bucketsOf(host, 'time');
  expect(build.pointsOf(time, (one) => build.metricOf(one, 'cpu'))).toEqual([
    [1_000, 0.5],
    [11_000, null],
  ]);
  expect(build.percentileOf(time[0], 'latency', 95)).toBe(7);
  expect(build.percentileOf(time[0], 'latency', 99)).toBeNull();
  expect(build.percentileOf(time[0], 'latency', 99.95), 'all its places are in its name').toBe(9);
  expect(build.percentileOf(time[1], 'latency', 95)).toBeNull();
});

test('an answer of another form has no buckets and no values', () => {
  for (const answer of [undefined, null, 3, [], { hosts: null }, { hosts: { buckets: [1, { key: 'a' }] } }]) {
    expect(build.bucketsOf(answer, 'hosts')).toEqual([]);
    expect(build.metricOf(answer, 'hosts')).toBeNull();
  }
});

test('buckets that reach out of the span are left out', () => {
  const buckets = [0, 10_000, 20_000].map((key) => ({ key, doc_count: 1 }));
  const whole = build.wholeBuckets(buckets, { from: 5_000, to: 25_000, bucketMs: 10_000 });
  expect(whole.map(({ key }) => key)).toEqual([10_000]);
});

test('a field is found whether it is nested or not', () => {
  expect(build.fieldOf({ 'a.b': 1 }, 'a.b')).toBe(1);
  expect(build.fieldOf({ a: { b: { c: 2 } } }, 'a.b.c')).toBe(2);
  expect(build.fieldOf({ a: { 'b.c': 3 } }, 'a.b.c')).toBe(3);
  expect(build.fieldOf({ a: 1 }, 'a.b')).toBeUndefined();
  expect(build.textOf({ a: { b: [1] } }, 'a')).toBe('{"b":[1]}');
});
