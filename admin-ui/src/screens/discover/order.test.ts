import { expect, test } from 'vitest';
import { isNewest, NEWEST, pressed, readOrder, writeOrder } from './order';

test('the order of the URL is read back as it was written, and the usual one is not in it', () => {
  for (const order of [
    { field: 'log.level', descending: false },
    { field: 'event.duration', descending: true },
    { field: '@timestamp', descending: false },
  ]) {
    expect(readOrder(writeOrder(order))).toEqual(order);
    expect(isNewest(order)).toBe(false);
  }
  expect(writeOrder(NEWEST)).toBe('');
  expect(isNewest(readOrder('@timestamp desc'))).toBe(true);
});

test('what is no order is the newest first', () => {
  for (const text of [null, '', ' ', 'a b', 'a desc asc', ' desc']) {
    expect(readOrder(text), String(text)).toEqual(NEWEST);
  }
});

test('a second press turns the order round', () => {
  const first = pressed(NEWEST, { field: 'bytes', largest: true });
  expect(first).toEqual({ field: 'bytes', descending: true });
  expect(pressed(first, { field: 'bytes', largest: true }).descending).toBe(false);
  expect(pressed(first, { field: 'name', largest: false })).toEqual({ field: 'name', descending: false });
});
