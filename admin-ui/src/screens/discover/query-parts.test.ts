import { expect, test } from 'vitest';
import { partsOf } from './query-parts';

const named = (query: string) => partsOf(query).map(({ kind, from, to }) => [kind, query.slice(from, to)]);

test('fields, quoted texts and the words between them are told apart', () => {
  expect(named('service.name:"a shop" AND NOT log.level:error')).toEqual([
    ['field', 'service.name'],
    ['text', '"a shop"'],
    ['join', 'AND'],
    ['join', 'NOT'],
    ['field', 'log.level'],
  ]);
});

test('a quotation is one part until it ends, whatever is in it', () => {
  expect(named('message:"he said \\"x:y\\" OR"')).toEqual([
    ['field', 'message'],
    ['text', '"he said \\"x:y\\" OR"'],
  ]);
  expect(named('message:"not yet')).toEqual([
    ['field', 'message'],
    ['text', '"not yet'],
  ]);
});

test('a query of plain words has no parts', () => {
  expect(named('timeout ORDER')).toEqual([]);
});
