import { expect, test } from 'vitest';
import { age, bytes, duration, number, percent } from './format';

test('sizes are shown in the unit that reads best', () => {
  expect(bytes(0n, 'en')).toBe('0 B');
  expect(bytes(1023, 'en')).toBe('1,023 B');
  expect(bytes(1024, 'en')).toBe('1 KiB');
  expect(bytes(1536n * 1024n * 1024n, 'en')).toBe('1.5 GiB');
  expect(bytes(200 * 1024 ** 3, 'en')).toBe('200 GiB');
});

test('a share of nothing is no share', () => {
  expect(percent(1, 0, 'en')).toBe('–');
  expect(percent(1, 4, 'en')).toBe('25%');
});

test('durations have as much detail as matters', () => {
  expect(duration(-5)).toBe('0 ms');
  expect(duration(420)).toBe('420 ms');
  expect(duration(3_240)).toBe('3.2 s');
  expect(duration(125_000)).toBe('2 min 5 s');
  expect(duration(4 * 3_600_000 + 720_000)).toBe('4 h 12 min');
  expect(duration(74 * 3_600_000)).toBe('3 d 2 h');
});

test('an age has its largest unit, and is never in the future', () => {
  expect(age(-9_000)).toBe('0 s');
  expect(age(61_000)).toBe('1 min');
  expect(age(47 * 3_600_000)).toBe('47 h');
  expect(age(49 * 3_600_000)).toBe('2 d');
});

test('numbers follow the locale', () => {
  expect(number(1234567n, 'en')).toBe('1,234,567');
  expect(number(0.126, 'en', 1)).toBe('0.1');
});
