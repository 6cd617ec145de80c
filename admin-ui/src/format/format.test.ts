import { expect, test } from 'vitest';
import { age, bytes, duration, milliseconds, number, percent, wholeDuration } from './format';

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
  expect(duration(-5, 'en')).toBe('0 ms');
  expect(duration(420, 'en')).toBe('420 ms');
  expect(duration(3_240, 'en')).toBe('3.2 s');
  expect(duration(125_000, 'en')).toBe('2 min 5 s');
  expect(duration(4 * 3_600_000 + 720_000, 'en')).toBe('4 h 12 min');
  expect(duration(74 * 3_600_000, 'en')).toBe('3 d 2 h');
});

test('a whole duration has all its parts and none that is nothing, in both languages', () => {
  expect(wholeDuration(7 * 86_400_000, 'en')).toBe('7 d');
  expect(wholeDuration(36 * 3_600_000, 'en')).toBe('1 d 12 h');
  expect(wholeDuration(86_400_000 + 90_000, 'en')).toBe('1 d 1 min 30 s');
  expect(wholeDuration(0, 'en')).toBe('0 s');
  expect(wholeDuration(7 * 86_400_000, 'ko')).toBe('7일');
  expect(wholeDuration(36 * 3_600_000, 'ko')).toBe('1일 12시간');
});

test('a duration of a whole unit tells no nothing of the smaller one', () => {
  expect(duration(300_000, 'en')).toBe('5 min');
  expect(duration(2 * 3_600_000 + 20_000, 'en')).toBe('2 h');
  expect(duration(72 * 3_600_000, 'en')).toBe('3 d');
});

test('an age has its largest unit, and is never in the future', () => {
  expect(age(-9_000, 'en')).toBe('0 s');
  expect(age(61_000, 'en')).toBe('1 min');
  expect(age(47 * 3_600_000, 'en')).toBe('47 h');
  expect(age(49 * 3_600_000, 'en')).toBe('2 d');
});

test('durations and ages are told in Korean to whoever reads Korean, wherever they live', () => {
  expect(duration(200_000, 'ko')).toBe('3분 20초');
  expect(duration(420, 'ko-KR')).toBe('420ms');
  expect(duration(4 * 3_600_000 + 720_000, 'ko')).toBe('4시간 12분');
  expect(duration(74 * 3_600_000, 'ko')).toBe('3일 2시간');
  expect(age(61_000, 'ko')).toBe('1분');
  expect(age(49 * 3_600_000, 'ko')).toBe('2일');
});

test('figures of durations follow the country', () => {
  expect(duration(3_240, 'en-ZA')).toBe('3,2 s');
  expect(milliseconds(3_240, 'en', 2)).toBe('3.24 s');
  expect(milliseconds(-12.34, 'en', 1)).toBe('-12.3 ms');
  expect(milliseconds(3_240, 'ko', 2)).toBe('3.24초');
});

test('numbers follow the locale', () => {
  expect(number(1234567n, 'en')).toBe('1,234,567');
  expect(number(0.126, 'en', 1)).toBe('0.1');
});
