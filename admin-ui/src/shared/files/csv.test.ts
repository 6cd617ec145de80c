import { expect, test } from 'vitest';
import { cell, line } from './csv';

test('a cell is quoted where it must be', () => {
  expect(cell('a,b')).toBe('"a,b"');
  expect(cell('say "x"')).toBe('"say ""x"""');
  expect(cell('a\nb')).toBe('"a\nb"');
  expect(cell('plain')).toBe('plain');
  expect(cell(null)).toBe('');
});

test('what a spreadsheet would run is a text, and a number stays one', () => {
  expect(cell('=1+1')).toBe("'=1+1");
  expect(cell('@x')).toBe("'@x");
  expect(cell('-5.5')).toBe('-5.5');
  expect(cell(-5.5)).toBe('-5.5');
  expect(line(['a', 1, null])).toBe('a,1,\r\n');
});
