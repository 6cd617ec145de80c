import { expect, test } from 'vitest';
import { choices, choicesWith } from './sizes';

test('sizes double from the least to the most', () => {
  expect(choices(256n, 2048n)).toEqual([256n, 512n, 1024n, 2048n]);
  expect(choices(256n, 2000n)).toEqual([256n, 512n, 1024n]);
});

test('limits that are not there make no endless list', () => {
  expect(choices(0n, 100n)).toEqual([0n]);
  expect(choices(2n, 1n)).toEqual([]);
});

test('a size that is there already is offered, in its place', () => {
  expect(choicesWith([256n, 512n], 300n)).toEqual([256n, 300n, 512n]);
  expect(choicesWith([256n, 512n], 512n)).toEqual([256n, 512n]);
});
