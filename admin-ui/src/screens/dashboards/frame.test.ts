import { expect, test } from 'vitest';
import type { Json, SearchAnswer } from '../../api/monitor';
import type { Panel } from './document';
import { compared, csvOf, frameOf, isEmpty, ratesOf, tableOf } from './frame';

const GRID = { from: 0, to: 40_000, bucketMs: 10_000 };
const panel = (more: Partial<Panel>): Panel => ({
  id: 'p',
  kind: 'line',
  title: 'P',
  at: { x: 0, y: 0, w: 6, h: 6 },
  index: ['a'],
  metrics: [{ of: 'avg', field: 'f' }],
  ...more,
});
const answer = (aggregations: Record<string, Json>, total = 1): SearchAnswer => ({
  took: 1,
  hits: { total: { value: total, relation: 'eq' }, hits: [] },
  aggregations,
});
const time = (...values: [number, number | null][]): Json => ({
  buckets: values.map(([key, value]) => ({ key, doc_count: 1, m0: { value } })),
});
const bucket = (key: string, more: Record<string, Json>): Json => ({ key, doc_count: 3, ...more });

test('values along time, one series per value of the split, with gaps where samples are missing', () => {
  const split = { split: ['host.name'] };
  const frame = frameOf(
    panel({ ...split, metrics: [{ of: 'avg', field: 'f', scale: 100 }] }),
    answer({
      s0: {
        sum_other_doc_count: 4,
        buckets: [bucket('h1', { t: time([0, 0.5], [10_000, 0.25], [50_000, 0.1]) })],
      },
    }),
    { ...GRID, to: 60_000 },
  );
  expect(frame).toMatchObject({ over: 'time', more: true });
  expect(frame.over === 'time' && frame.series).toEqual([
    {
      id: 'h1',
      label: 'h1',
      keys: ['h1'],
      points: [
        [0, 50],
        [10_000, 25],
        [20_000, null],
        [50_000, 10],
      ],
    },
  ]);
});

test('a sum says that parts of it were left out', () => {
  const of = panel({ kind: 'pie', split: ['s'], each: ['i', 'n'], metrics: [{ of: 'avg', field: 'f' }] });
  const frame = (others: number) => {
    const networks = { sum_other_doc_count: others, buckets: [bucket('eth0', { m0: { value: 1 } })] };
    const containers = { sum_other_doc_count: 0, buckets: [bucket('c1', { e1: networks })] };
    return frameOf(
      of,
      answer({ s0: { sum_other_doc_count: 0, buckets: [bucket('a', { e0: containers })] } }),
      GRID,
    );
  };
  expect(frame(0).more).toBe(false);
  expect(frame(7).more, 'documents of other networks are not in the sum').toBe(true);
});

test('a count is zero where nothing was', () => {
  const counts: Json = { buckets: [{ key: 10_000, doc_count: 7 }] };
  const frame = frameOf(panel({ kind: 'bar', metrics: [{ of: 'count' }] }), answer({ t: counts }), GRID);
  expect(frame.over === 'time' && frame.series[0]?.points).toEqual([
    [0, 0],
    [10_000, 7],
    [20_000, 0],
    [30_000, 0],
  ]);
});

test('growth is told per second, and not where a counter began anew', () => {
  expect(
    ratesOf([
      [0, 100],
      [10_000, 150],
      [20_000, null],
      [30_000, 250],
      [40_000, 5],
      [50_000, 25],
    ]),
  ).toEqual([
    [10_000, 5],
    [30_000, 5],
    [40_000, null],
    [50_000, 2],
  ]);
});

test('what has counters of its own is added up', () => {
  const each = {
    buckets: [
      bucket('eth0', { t: time([0, 0], [10_000, 10]) }),
      bucket('eth1', { t: time([0, 5], [10_000, 35]) }),
    ],
  };
  const of: Partial<Panel> = { each: ['i'], metrics: [{ of: 'rate', field: 'f' }] };
  const frame = frameOf(panel(of), answer({ e0: each }), GRID);
  expect(frame.over === 'time' && frame.series[0]?.points).toEqual([[10_000, 4]]);
  const rows = frameOf(panel({ ...of, kind: 'metric' }), answer({ e0: each }), GRID);
  expect(rows.over === 'rows' && rows.rows[0]?.values).toEqual([4]);
});

test('rows have the largest first, and nested splits keep both names', () => {
  const frame = frameOf(
    panel({ kind: 'table', split: ['host.name', 'container.name'] }),
    answer({
      s0: {
        buckets: [
          bucket('h1', {
            s1: { buckets: [bucket('a', { m0: { value: 1 } }), bucket('b', { m0: { value: null } })] },
          }),
          bucket('h2', { s1: { buckets: [bucket('c', { m0: { value: 9 } })] } }),
        ],
      },
    }),
    GRID,
  );
  expect(frame.over === 'rows' && frame.rows.map((row) => [row.keys, row.values])).toEqual([
    [['h2', 'c'], [9]],
    [['h1', 'a'], [1]],
  ]);
});

test('last values may be words', () => {
  const metrics: Panel['metrics'] = [{ of: 'last', field: 'wharf.instance.health' }];
  const top = { top: [{ sort: ['x'], metrics: { 'wharf.instance.health': 'healthy' } }] };
  const frame = frameOf(
    panel({ kind: 'table', split: ['s'], metrics }),
    answer({ s0: { buckets: [bucket('i', { m0: top })] } }),
    GRID,
  );
  expect(frame.over === 'rows' && frame.rows[0]?.values).toEqual(['healthy']);
});

test('a count of nothing is a figure, an average of nothing is none', () => {
  const counted = frameOf(
    panel({ kind: 'metric', metrics: [{ of: 'count' }] }),
    answer({ t: time() }, 0),
    GRID,
  );
  expect(counted.over === 'rows' && counted.rows[0]?.values).toEqual([0]);
  const averaged = frameOf(panel({ kind: 'metric' }), answer({ m0: { value: null }, t: time() }, 0), GRID);
  expect(isEmpty(averaged)).toBe(true);
});

test('the earlier span lies over this one, matched by name', () => {
  const of = (value: number) => answer({ t: time([0, value]) });
  const now = frameOf(panel({}), of(2), GRID);
  const both = compared(now, frameOf(panel({}), of(1), GRID), 60_000);
  expect(both.over === 'time' && both.series[0]?.previous).toEqual([[60_000, 1]]);
});

test('an answer to another question is no values and no error', () => {
  expect(isEmpty(frameOf(panel({ split: ['a'] }), answer({ other: { value: 1 } }), GRID))).toBe(true);
  expect(isEmpty(frameOf(panel({}), { ...answer({}), aggregations: {} }, GRID))).toBe(true);
});

test('a file for a spreadsheet has a row per moment, and no cell that would be run', () => {
  const frame = frameOf(panel({}), answer({ t: time([0, 1.5], [10_000, null]) }), GRID);
  const text = csvOf(tableOf(panel({}), frame));
  expect(text).toBe('time,avg f\r\n1970-01-01T00:00:00.000Z,1.5\r\n1970-01-01T00:00:10.000Z,\r\n');
  expect(csvOf({ heads: ['=1+1'], rows: [['a,"b"']] })).toBe('\'=1+1\r\n"a,""b"""\r\n');
});
