import { expect, test } from 'vitest';
import { type Datum, stepped } from './cursor';

const list = ['a', 'b', 'c'].map((key, index): Datum => ({ key, told: () => key, index }));
const cell = (column: number, row: number, index: number): Datum => ({
  key: `${column} ${row}`,
  told: () => '',
  index,
  cell: { column, row },
});
// Two rows; the second has nothing in columns 1 and 2.
const cells = [cell(0, 0, 0), cell(1, 0, 1), cell(2, 0, 2), cell(0, 1, 3), cell(3, 1, 4)];

test('arrows go from one datum to the next and stop at the ends', () => {
  expect(stepped('ArrowRight', list, -1)).toBe(0);
  expect(stepped('ArrowDown', list, 0)).toBe(1);
  expect(stepped('ArrowRight', list, 2)).toBe(2);
  expect(stepped('ArrowLeft', list, -1)).toBe(2);
  expect(stepped('ArrowUp', list, 0)).toBe(0);
  expect([stepped('Home', list, 2), stepped('End', list, 0)]).toEqual([0, 2]);
});

test('a page of keys is a tenth of the data', () => {
  const many = Array.from({ length: 40 }, (_, index): Datum => ({ key: `${index}`, told: () => '', index }));
  expect(stepped('PageDown', many, 3)).toBe(7);
  expect(stepped('PageUp', many, 3)).toBe(0);
});

test('in columns and rows the keys stop where a value is', () => {
  expect(stepped('ArrowRight', cells, -1)).toBe(0);
  expect(stepped('ArrowRight', cells, 3)).toBe(4);
  expect(stepped('ArrowRight', cells, 2)).toBe(2);
  expect(stepped('End', cells, 3)).toBe(4);
  expect(stepped('ArrowDown', cells, 0)).toBe(3);
  expect(stepped('ArrowDown', cells, 2), 'the nearest column of the row below').toBe(4);
  expect(stepped('ArrowUp', cells, 4)).toBe(2);
  expect(stepped('ArrowUp', cells, 1), 'there is no row above').toBe(1);
});

test('Escape leaves, but is of somebody else where the cursor is nowhere', () => {
  expect(stepped('Escape', list, 1)).toBeNull();
  expect(stepped('Escape', list, -1)).toBeUndefined();
  expect(stepped('ArrowRight', [], -1)).toBeUndefined();
  expect(stepped('Tab', cells, 0)).toBeUndefined();
  expect(stepped('x', list, 0)).toBeUndefined();
});
