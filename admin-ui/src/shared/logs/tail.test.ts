import { expect, test } from 'vitest';
import type { SearchAnswer } from '../../api/monitor';
import { lineOf, MOST_LINES } from './lines';
import { begun, lengthened, quietFor, renewed } from './tail';

const WHOLE = { total: 2, successful: 2, failed: 0 };
const CUT = { total: 2, successful: 1, failed: 1 };

/** Lines named by their times, as the storage gives them. */
function answer(times: number[], shards = WHOLE, late = false): SearchAnswer {
  return {
    took: 1,
    timed_out: late,
    _shards: shards,
    hits: {
      hits: times.map((at) => ({ _id: `l${at}`, _index: 'logs', _source: { '@timestamp': at } })),
    },
  };
}

const pulled = (times: number[], shards = WHOLE) => ({
  lines: answer(times).hits.hits.map(lineOf),
  answers: [answer(times, shards)],
  skips: false,
});
const times = ({ lines }: { lines: { at: number }[] }) => lines.map((line) => line.at);

test('the newest lines are in the order in which they were written; a full page has older ones', () => {
  expect(times(begun(answer([3, 2, 1]), 3, 9))).toEqual([1, 2, 3]);
  expect(begun(answer([3, 2, 1]), 3, 9)).toMatchObject({ more: true, asOf: 9, partial: undefined });
  expect(begun(answer([3, 2]), 3, 9).more).toBe(false);
});

test('an answer that is not whole is told until all is asked for again', () => {
  const lacking = begun(answer([2, 1], CUT), 3, 9);
  expect(lacking.partial).toEqual({ timedOut: false, failed: 1, total: 2 });
  expect(renewed(lacking, pulled([3]), false, 10).partial).toEqual(lacking.partial);
  expect(begun(answer([2, 1], WHOLE, true), 3, 9).partial).toMatchObject({ timedOut: true });
  expect(begun(answer([3, 2, 1]), 3, 11).partial).toBeUndefined();
});

test('so is one that brought new lines, or older ones', () => {
  const whole = begun(answer([2]), 3, 9);
  expect(renewed(whole, pulled([3], CUT), false, 10).partial).toMatchObject({ failed: 1 });
  expect(lengthened(whole, answer([1], CUT), 3).partial).toMatchObject({ failed: 1 });
});

test('of many lines the newest are kept, and there are older ones then', () => {
  const many = pulled(Array.from({ length: MOST_LINES }, (_, at) => at + 10));
  const before = begun(answer([2, 1]), 3, 9);
  const kept = renewed(before, many, false, 10);
  expect(kept.lines[0]?.at).toBe(10);
  expect(kept).toMatchObject({ more: true });
  expect(kept.lines).toHaveLength(MOST_LINES);
  const all = renewed(before, many, true, 10);
  expect(all.lines[0]?.at, 'none is taken from whoever looks back').toBe(1);
  expect(all.more).toBe(false);
});

test('older lines that were asked for stay when others come', () => {
  const many = pulled(Array.from({ length: MOST_LINES - 1 }, (_, at) => at + 10));
  const longer = lengthened(begun(answer([5]), 1, 9), answer([4, 3]), 2);
  expect(longer).toMatchObject({ earlier: 2, more: true });
  expect(renewed(longer, many, false, 10).lines[0]?.at).toBe(3);
});

test('what could not be had is forgotten once it can be had', () => {
  const failed = { ...begun(answer([2]), 3, 9), error: new Error('away') };
  expect(renewed(failed, pulled([]), false, 10).error).toBeNull();
  expect(lengthened(failed, answer([1]), 3)).toMatchObject({ error: null, more: false });
});

const every = { filter: [], atLeast: '', text: ' ' } as const;

test('a log is quiet from a minute without a line on', () => {
  expect(quietFor(begun(answer([1_000]), 3, 60_999), every)).toBeUndefined();
  expect(quietFor(begun(answer([1_000]), 3, 61_000), every)).toBe(60_000);
  expect(quietFor(begun(answer([]), 3, 61_000), every)).toBeUndefined();
});

test('a span that has ended is not quiet, nor are lines of which some are left out', () => {
  const tail = begun(answer([1_000]), 3, 61_000);
  expect(quietFor(tail, { ...every, range: { from: 0, to: 2_000 } })).toBeUndefined();
  expect(quietFor(tail, { ...every, atLeast: 'error' })).toBeUndefined();
  expect(quietFor(tail, { ...every, text: 'late' })).toBeUndefined();
});
