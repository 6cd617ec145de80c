import { expect, test } from 'vitest';
import {
  deltaOf,
  frameOf,
  isEmpty,
  lastValue,
  lonely,
  stackedValues,
  total,
  valueAt,
  withHeightBefore,
} from './frame';

const a = {
  id: 'a',
  label: 'a',
  points: [
    [10, 1],
    [20, null],
    [30, 3],
  ] as [number, number | null][],
};
const b = {
  id: 'b',
  label: 'b',
  points: [
    [15, 5],
    [30, 7],
  ] as [number, number | null][],
};

test('series with other moments share one axis: only a null is a gap', () => {
  const frame = frameOf([a, b]);
  expect(frame.times).toEqual([10, 15, 20, 30]);
  expect(frame.lines.map((line) => line.values)).toEqual([
    [1, undefined, null, 3],
    [undefined, 5, undefined, 7],
  ]);
});

test('the earlier span lies below, and belongs to its series', () => {
  const frame = frameOf([a, { ...b, previous: [[10, 4]] }]);
  expect(frame.lines.map(({ index, previous }) => [index, previous])).toEqual([
    [1, true],
    [0, false],
    [1, false],
  ]);
});

test('each is stacked on those before it, and a gap of all stays one', () => {
  expect(
    stackedValues([
      [1, null, 2],
      [3, null, null],
    ]),
  ).toEqual([
    [1, null, 2],
    [4, null, 2],
  ]);
});

test('a value without neighbours is found, or no line would show it', () => {
  expect(lonely([null, 1, null, 2, 3, null, undefined, 4])).toEqual([1, 7]);
  expect(lonely([1, undefined, 2])).toEqual([]);
});

test('a moment of which only others have a value has the last one before it', () => {
  expect(valueAt([1, undefined, null, 3], 1)).toBe(1);
  expect(valueAt([1, undefined, null, 3], 2)).toBeNull();
  expect(valueAt([undefined], 0)).toBeNull();
  expect(lastValue([1, 2, null, undefined])).toBe(2);
  expect(total([1, null, 2, undefined])).toBe(3);
  expect(total([null])).toBeNull();
});

test('a change of nothing cannot be told as a share', () => {
  expect(deltaOf(3, 2)).toBe(0.5);
  expect(deltaOf(3, 0)).toBeNull();
  expect(deltaOf(null, 2)).toBeNull();
});

test('series without one value are nothing to draw', () => {
  expect(isEmpty([])).toBe(true);
  expect(isEmpty([{ ...a, points: [[1, null]] }])).toBe(true);
  expect(isEmpty([{ ...a, points: [[1, null]], previous: [[1, 0]] }])).toBe(false);
});

test('over a stack the earlier span is one line: its height', () => {
  const frame = frameOf([
    { ...a, previous: [[30, 2]] },
    {
      ...b,
      previous: [
        [15, 4],
        [30, 1],
      ],
    },
  ]);
  const drawn = withHeightBefore(frame);
  expect(drawn.lines.map(({ previous, values }) => [previous, values])).toEqual([
    [true, [undefined, 4, undefined, 3]],
    [false, [1, undefined, null, 3]],
    [false, [undefined, 5, undefined, 7]],
  ]);
  const alone = frameOf([a, b]);
  expect(withHeightBefore(alone)).toEqual(alone);
});
