import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { CountEventsResponseSchema } from '../../generated/wharf/v1/events_pb';
import {
  beside,
  countsOf,
  cutOf,
  earlier,
  endOf,
  kindsOf,
  MOST_KINDS,
  OTHERS,
  seriesOf,
  slotsOf,
} from './counts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = Date.UTC(2026, 10, 29, 12);
const words = {
  kind: (kind: string) => kind.toUpperCase(),
  others: 'others',
  colour: (slot: number) => `slot ${slot}`,
};

function answered(heldSince: number | undefined, ...counts: [at: number, kind: string, count: number][]) {
  return countsOf(
    create(CountEventsResponseSchema, {
      counts: counts.map(([at, kind, count]) => ({ at: timestampFromMs(at), kind, count: BigInt(count) })),
      ...(heldSince === undefined ? {} : { heldSince: timestampFromMs(heldSince) }),
    }),
  );
}

test('a span is cut by the clock, whatever its moments', () => {
  const cut = cutOf({ from: NOON + 12_345, to: NOON + HOUR + 12_345 });
  expect(cut).toEqual({ from: NOON, to: NOON + HOUR + MINUTE, bucketMs: MINUTE, spans: 61 });
  expect(cutOf({ from: NOON + 20_000, to: NOON + HOUR + 20_000 }), 'and the same a moment later').toEqual(
    cut,
  );
  for (const length of [1_000, HOUR, 25 * HOUR, 40 * 24 * HOUR]) {
    const { spans } = cutOf({ from: NOON - length - 7, to: NOON - 7 });
    expect(spans, `bars of ${length} ms`).toBeLessThanOrEqual(500);
    expect(Number.isInteger(spans)).toBe(true);
  }
});

test('a list that is renewed ends now, another one with the last bar', () => {
  const cut = cutOf({ from: NOON, to: NOON + HOUR + 1 });
  expect(endOf(cut, NOON + HOUR + 1, true)).toBe(NOON + HOUR + 1);
  expect(endOf(cut, NOON + HOUR + 1, false)).toBe(cut.to);
});

const cut = { from: NOON, to: NOON + 3 * MINUTE, bucketMs: MINUTE, spans: 3 };

test('bars without a change are nought, and before the oldest one that is held there are gaps', () => {
  const counts = answered(NOON + MINUTE + 5_000, [NOON + MINUTE, 'a', 2]);
  const [series] = seriesOf({ counts, cut, of: 'q' }, undefined, undefined, words);
  expect(series?.label).toBe('A');
  expect(series?.points).toEqual([
    [NOON, null],
    [NOON + MINUTE, 2],
    [NOON + 2 * MINUTE, 0],
  ]);
});

test('where nothing is held there is nothing to show', () => {
  expect(seriesOf({ counts: answered(undefined), cut, of: 'q' }, undefined, undefined, words)).toEqual([]);
  const before = { counts: answered(0, [NOON - HOUR, 'a', 1]), cut: earlier(cut, HOUR), by: HOUR, of: 'q' };
  const [series] = seriesOf({ counts: answered(undefined), cut, of: 'q' }, before, undefined, words);
  expect(series?.points.map(([, count]) => count)).toEqual([null, null, null]);
});

test('what is bad stands on the ground', () => {
  const counts = answered(
    0,
    [NOON, 'container_appeared', 1],
    [NOON, 'container_restarted', 1],
    [NOON, 'container_failed', 1],
  );
  expect(kindsOf(counts)).toEqual(['container_failed', 'container_restarted', 'container_appeared']);
});

test('the span before lies over the one of now, also a kind that is no more', () => {
  const before = { counts: answered(0, [NOON - HOUR, 'b', 3]), cut: earlier(cut, HOUR), by: HOUR, of: 'q' };
  const series = seriesOf({ counts: answered(0, [NOON, 'a', 1]), cut, of: 'q' }, before, undefined, words);
  expect(series.map((one) => one.id)).toEqual(['a', 'b']);
  expect(series[1]?.points[0]).toEqual([NOON, 0]);
  expect(series[1]?.previous?.[0]).toEqual([NOON, 3]);
});

test('the span before stays while a renewal is counted: on the same bars, and none beyond those of now', () => {
  const long = earlier({ ...cut, from: cut.from - MINUTE, to: cut.to - MINUTE }, HOUR);
  const counts = answered(0, [long.from, 'a', 4], [long.from + 2 * MINUTE, 'a', 3]);
  const now = { counts: answered(0, [NOON, 'a', 1]), cut, of: 'q' };
  const before = { counts, cut: long, by: HOUR, of: 'q' };
  expect(beside(now, before)).toBe(before);
  const [series] = seriesOf(now, before, undefined, words);
  expect(series?.previous).toEqual([
    [NOON, 0],
    [NOON + MINUTE, 3],
  ]);
});

test('the span before of another question is not shown beside this one', () => {
  const now = { counts: answered(0), cut, of: 'q' };
  const before = { counts: answered(0), cut: earlier(cut, HOUR), by: HOUR, of: 'another' };
  expect(beside(now, before)).toBeUndefined();
  expect(beside(undefined, before)).toBeUndefined();
});

test('a kind that is chosen is there, also where there is none of it', () => {
  const now = { counts: answered(0, [NOON, 'a', 1]), cut, of: 'q' };
  const series = seriesOf(now, undefined, 'b', words);
  expect(series.map((one) => one.id)).toEqual(['a', 'b']);
  expect(series[1]?.points.map(([, count]) => count)).toEqual([0, 0, 0]);
  expect(
    seriesOf(now, undefined, OTHERS, words).map((one) => one.id),
    'many together are none',
  ).toEqual(['a']);
});

test('seldom kinds are one series, but for the one that is chosen', () => {
  const kinds = Array.from({ length: MOST_KINDS + 2 }, (_, at): [number, string, number] => [
    NOON,
    `kind${at}`,
    10 - at,
  ]);
  const counts = answered(0, ...kinds);
  const shown = (chosen: string | undefined) => seriesOf({ counts, cut, of: 'q' }, undefined, chosen, words);
  expect(shown(undefined).map((one) => one.id)).toEqual([
    ...['kind0', 'kind1', 'kind2', 'kind3', 'kind4', 'kind5'],
    OTHERS,
  ]);
  expect(shown(undefined).at(-1)?.points[0], 'their sum').toEqual([NOON, 4 + 3]);
  expect(shown('kind7').map((one) => one.id)).toContain('kind7');
});

test('each kind has a colour of its own that suits its tone, also where many are bad', () => {
  const red = 5;
  const green = 2;
  const usual = slotsOf(['container_failed', 'container_restarted', 'container_appeared']);
  expect(usual.get('container_failed')).toBe(red);
  expect(usual.get('container_appeared')).toBe(green);
  const bad = ['container_failed', 'container_out_of_memory', 'container_vanished', 'allocator_lost'];
  const many = slotsOf([...bad, 'container_started', 'container_appeared']);
  expect(new Set(many.values()).size).toBe(MOST_KINDS);
  expect(many.get('container_started'), 'what is good comes first to green').toBe(green);
});
