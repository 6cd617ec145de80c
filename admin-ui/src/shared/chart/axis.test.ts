import { expect, test } from 'vitest';
import { deltaText, momentTexts, stepsOf, valueText } from './axis';

test('values have their unit and as many digits as matter', () => {
  expect(valueText(1536, 'bytes', 'en')).toBe('1.5 KiB');
  expect(valueText(2048, 'bytes/s', 'en')).toBe('2.0 KiB/s'.replace('2.0', '2'));
  expect(valueText(12.345, 'percent', 'en')).toBe('12.3 %');
  expect(valueText(0.0264, 'percent', 'en')).toBe('0.03 %');
  expect(valueText(0.0123, 'per second', 'en')).toBe('0.012/s');
  expect(valueText(12_345, 'ms', 'en')).toBe('12.3 s');
  expect(valueText(1_419, 'ms', 'en')).toBe('1.42 s');
  expect(valueText(1234, 'count', 'en')).toBe('1,234');
  expect(valueText(null, 'count', 'en')).toBe('–');
});

test('a change has its sign', () => {
  expect(deltaText(0.5, 'en')).toBe('+50%');
  expect(deltaText(-0.034, 'en')).toBe('-3.4%');
  expect(deltaText(0, 'en')).toBe('0%');
});

test('sizes are stepped by powers of two, counts by whole ones', () => {
  expect(stepsOf('bytes')).toContain(2 ** 30);
  expect(Math.min(...stepsOf('count'))).toBe(1);
});

test('the day stands where another one begins', () => {
  const eleven = new Date(2026, 10, 29, 23).getTime();
  const hour = 3_600_000;
  expect(momentTexts([eleven, eleven + hour, eleven + 2 * hour], hour, 'en-GB')).toEqual([
    '23:00',
    '00:00\n30 Nov',
    '01:00',
  ]);
});
