import { expect, test } from 'vitest';
import { cell, headOf, rowsOf } from './csv';
import { WHOLE } from './view-state';

test('what has a comma, a quote or a break in it is quoted', () => {
  expect(cell('a,b')).toBe('"a,b"');
  expect(cell('say "x"')).toBe('"say ""x"""');
  expect(cell('a\nb')).toBe('"a\nb"');
  expect(cell('plain')).toBe('plain');
});

test('no text becomes a formula, and numbers stay numbers', () => {
  expect(cell('=1+1')).toBe("'=1+1");
  expect(cell('@x')).toBe("'@x");
  expect(cell('-5.5')).toBe('-5.5');
});

test('rows have the time and the columns of the list', () => {
  const source = { '@timestamp': '2026-01-01T00:00:00Z', log: { level: 'info' }, message: 'a' };
  expect(headOf(['log.level', 'message'])).toBe('@timestamp,log.level,message\r\n');
  expect(rowsOf([{ _id: '1', _index: 'i', _source: source }], ['log.level', 'message'])).toBe(
    '2026-01-01T00:00:00Z,info,a\r\n',
  );
  expect(rowsOf([{ _id: '1', _index: 'i', _source: { a: 1 } }], [WHOLE])).toBe(',"{""a"":1}"\r\n');
});
