import { expect, test } from 'vitest';
import { waitBefore } from './wait';

test('each try waits longer, up to half a minute, and never nothing', () => {
  expect(waitBefore(1, 0)).toBe(1_000);
  expect(waitBefore(1, 1)).toBe(2_000);
  expect(waitBefore(3, 1)).toBe(8_000);
  expect(waitBefore(50, 1)).toBe(30_000);
  expect(waitBefore(50, 0)).toBe(15_000);
});
