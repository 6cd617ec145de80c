import { expect, test } from 'vitest';
import { headOf, rowsOf } from './csv';
import { WHOLE } from './view-state';

test('rows have the time and the columns of the list', () => {
  const source = { '@timestamp': '2026-01-01T00:00:00Z', log: { level: 'info' }, message: 'a' };
  expect(headOf(['log.level', 'message'])).toBe('@timestamp,log.level,message\r\n');
  expect(rowsOf([{ _id: '1', _index: 'i', _source: source }], ['log.level', 'message'])).toBe(
    '2026-01-01T00:00:00Z,info,a\r\n',
  );
  expect(rowsOf([{ _id: '1', _index: 'i', _source: { a: 1 } }], [WHOLE])).toBe(',"{""a"":1}"\r\n');
});
