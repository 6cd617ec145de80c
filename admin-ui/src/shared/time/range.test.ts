import { expect, test } from 'vitest';
import { backBy, bucketFor, goesOn, instantOf, rangeFrom, shifted, widened } from './range';

const NOW = Date.UTC(2026, 10, 29, 14, 30, 15);
const HOUR = 3_600_000;
const USUAL = { from: 'now-1h', to: 'now' };

test('moments are relative, dates, or milliseconds', () => {
  expect(instantOf('now', NOW)).toBe(NOW);
  expect(instantOf('now-90m', NOW)).toBe(NOW - 1.5 * HOUR);
  expect(instantOf('now+1h', NOW)).toBe(NOW + HOUR);
  expect(instantOf('2026-11-29T14:00:00Z', NOW)).toBe(Date.UTC(2026, 10, 29, 14));
  expect(instantOf(String(NOW), NOW)).toBe(NOW);
});

test('a day begins at the midnight of the reader, a week on Monday', () => {
  expect(instantOf('now/d', NOW)).toBe(new Date(2026, 10, new Date(NOW).getDate()).getTime());
  expect(new Date(instantOf('now/w', NOW) ?? 0).getDay()).toBe(1);
});

test('what is no moment is none', () => {
  for (const text of ['', 'yesterday', 'now-5', 'now-5y', '12', 'now - 5m']) {
    expect(instantOf(text, NOW), text).toBeUndefined();
  }
});

test('a span that cannot be, or ends before it begins, is the usual one', () => {
  expect(rangeFrom({ from: 'now-2h', to: 'now-1h' }, NOW, USUAL)).toMatchObject({
    from: NOW - 2 * HOUR,
    to: NOW - HOUR,
  });
  for (const raw of [
    { from: 'now', to: 'now-1h' },
    { from: 'x', to: 'now' },
    { from: 'now', to: 'now' },
  ]) {
    expect(rangeFrom(raw, NOW, USUAL)).toEqual({ from: NOW - HOUR, to: NOW, raw: USUAL });
  }
});

test('a span goes on when it ends now', () => {
  expect(goesOn({ from: 'now-1h', to: 'now' })).toBe(true);
  for (const to of ['now/d', 'now-5m', '2026-11-29T14:00:00Z'])
    expect(goesOn({ from: 'now-7d', to }), to).toBe(false);
});

test('buckets are steps of the clock, at most as many as asked', () => {
  expect(bucketFor(HOUR)).toBe(30_000);
  expect(bucketFor(15 * 60_000)).toBe(10_000);
  expect(bucketFor(24 * HOUR)).toBe(15 * 60_000);
  expect(bucketFor(60_000, 120, 10_000)).toBe(10_000);
  for (const span of [1_000, HOUR, 31 * HOUR, 90 * 24 * HOUR, 4_000 * 24 * HOUR]) {
    expect(span / bucketFor(span), `buckets of ${span} ms`).toBeLessThanOrEqual(120);
  }
});

test('a comparison is with the span before, the day before, or the week before', () => {
  expect(backBy('period', HOUR)).toBe(HOUR);
  expect(backBy('day', HOUR)).toBe(24 * HOUR);
  expect(backBy('week', HOUR)).toBe(7 * 24 * HOUR);
});

test('a window moves by its own length and widens around its middle, not beyond now', () => {
  const span = { from: NOW - 3 * HOUR, to: NOW - HOUR };
  expect(Date.parse(shifted(span, -1).to)).toBe(NOW - 3 * HOUR);
  expect(Date.parse(widened(span, NOW).from)).toBe(NOW - 4 * HOUR);
  expect(Date.parse(widened(span, NOW).to)).toBe(NOW);
});
