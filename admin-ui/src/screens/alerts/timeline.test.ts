import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { DeliveryState, WatchRunSchema } from '../../generated/wharf/monitor/v1/watches_pb';
import { alongside, drawnSpan, toldOf, valuesOf } from './timeline';

function run(ms: number, value: string | null, states: DeliveryState[] = []) {
  return create(WatchRunSchema, {
    id: String(ms),
    startedAt: timestampFromMs(ms),
    groups: value === null ? [] : [{ group: [{ name: 'host', value: 'h1' }], value }],
    deliveries: states.map((state) => ({ alertId: 'a', state })),
  });
}
const group =
  create(WatchRunSchema, { groups: [{ group: [{ name: 'host', value: 'h1' }] }] }).groups[0]?.group ?? [];

test('the value of a group over time has a gap where a run did not find it', () => {
  expect(valuesOf([run(30, '3'), run(10, '1.5'), run(20, null)], group)).toEqual([
    [10, 1.5],
    [20, null],
    [30, 3],
  ]);
});

test('what was kept back by runs that follow each other is told once', () => {
  const { SENT, HELD } = DeliveryState;
  const told = toldOf(
    [run(10, '1', [SENT]), run(20, '1', [HELD]), run(30, '1', [HELD]), run(40, '0', [SENT])],
    'a',
  );
  expect(told.map((one) => [one.run, one.delivery.state, one.times])).toEqual([
    ['40', SENT, 1],
    ['30', HELD, 2],
    ['10', SENT, 1],
  ]);
  expect(toldOf([run(10, '1', [SENT])], 'b')).toEqual([]);
});

test('a chart begins with the first run that was read when earlier ones were left out', () => {
  const runs = [run(70, '1'), run(50, '1')];
  expect(drawnSpan(runs, 2, { from: 10, to: 100 })).toEqual({ from: 10, to: 100 });
  expect(drawnSpan(runs, 9, { from: 10, to: 100 })).toEqual({ from: 50, to: 100 });
  expect(drawnSpan([], 0, { from: 10, to: 100 })).toEqual({ from: 10, to: 100 });
});

test('a chart goes to a run that is newer than the time of the page', () => {
  expect(drawnSpan([run(120, '1')], 1, { from: 10, to: 100 })).toEqual({ from: 10, to: 120 });
});

test('what was before stands at the moments of the runs that it is next to', () => {
  const now: [number, number][] = [
    [100, 1],
    [160, 2],
    [220, 3],
  ];
  const earlier: [number, number | null][] = [
    [20, 5],
    [104, 6],
    [157, null],
    [158, 7],
    [300, 8],
  ];
  expect(alongside(earlier, now)).toEqual([
    [20, 5],
    [100, 6],
    [160, null],
    [158, 7],
    [300, 8],
  ]);
  expect(alongside(earlier, []).map(([at]) => at)).toEqual([20, 104, 157, 158, 300]);
});
