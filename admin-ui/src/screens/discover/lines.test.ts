import { expect, test } from 'vitest';
import type { Hit } from './document';
import { around, arrived, distinct, merged, NO_TAIL, rateOf, released } from './lines';

const hit = (id: string, at: number, offset = 0): Hit => ({
  _id: id,
  _index: 'i',
  _source: {},
  sort: [at, offset],
});
const ids = (hits: readonly Hit[]) => hits.map((one) => one._id).join('');

test('a document that two pages have stands where it was first', () => {
  expect(ids(distinct([hit('a', 30), hit('b', 20), hit('a', 30), hit('c', 10)]))).toBe('abc');
});

test('lines are newest first, each once, and what comes late stands where it belongs', () => {
  const known = [hit('c', 30), hit('a', 10)];
  expect(ids(merged([hit('d', 40), hit('b', 20), hit('c', 30)], known, 10))).toBe('dcba');
  expect(ids(merged([hit('d', 40)], known, 2))).toBe('dc');
});

test('lines of one millisecond are in the order in which they were written', () => {
  expect(ids(merged([hit('a', 10, 1), hit('b', 10, 2)], [], 10))).toBe('ba');
});

test('lines around one are as they were written', () => {
  expect(ids(around([hit('a', 10), hit('b', 20)], hit('b', 20), [hit('b', 20), hit('c', 30)]))).toBe('abc');
});

test('what comes while one reads waits until it is asked for', () => {
  const options = { paused: true, most: 10 };
  const first = arrived(NO_TAIL, [hit('a', 10)], 1, 0, { ...options, paused: false });
  const waiting = arrived(first, [hit('b', 20)], 3, 2_000, options);
  expect([ids(waiting.fresh), ids(waiting.held), waiting.skipped]).toEqual(['a', 'b', 2]);
  expect(ids(released(waiting, 10).fresh)).toBe('ba');
  const going = arrived(waiting, [hit('c', 30)], 1, 4_000, { ...options, paused: false });
  expect([ids(going.fresh), going.held.length]).toEqual(['cba', 0]);
});

test('the rate is of what came between looks, and of the last of them', () => {
  expect(rateOf([{ at: 0, count: 99 }], 0)).toBeUndefined();
  const looks = [
    { at: 0, count: 99 },
    { at: 2_000, count: 10 },
    { at: 4_000, count: 30 },
  ];
  expect(rateOf(looks, 4_000)).toBe(10);
  expect(rateOf(looks, 60_000), 'old looks do not count').toBeUndefined();
});
