import { expect, test } from 'vitest';
import { writtenAt } from './completion';

const at = (text: string) => {
  const position = text.indexOf('|');
  const written = writtenAt(text.replace('|', ''), position);
  return written ? [written.kind, written.field, written.text, written.from] : undefined;
};

test('a word is the beginning of a field', () => {
  expect(at('|')).toEqual(['field', '', '', 0]);
  expect(at('hos|')).toEqual(['field', '', 'hos', 0]);
  expect(at('a AND -ho|')).toEqual(['field', '', 'ho', 7]);
  expect(at('(ho|')).toEqual(['field', '', 'ho', 1]);
});

test('behind a field and a colon stands its value', () => {
  expect(at('host.name:|')).toEqual(['value', 'host.name', '', 10]);
  expect(at('a AND host.name:w|')).toEqual(['value', 'host.name', 'w', 16]);
  expect(at('host.name:"web o|')).toEqual(['value', 'host.name', 'web o', 11]);
  expect(at('host.name:"a\\"b|')).toEqual(['value', 'host.name', 'a"b', 11]);
});

test('a group behind a field has its values, also behind OR', () => {
  expect(at('log.level:(error OR w|')).toEqual(['value', 'log.level', 'w', 20]);
  expect(at('log.level:(error OR warn) |')).toEqual(['field', '', '', 26]);
});

test('escaped letters belong to the word', () => {
  expect(at('a\\ b:x|')).toEqual(['value', 'a b', 'x', 5]);
});

test('nothing is offered within phrases without a field, ranges and patterns', () => {
  expect(at('"some ph|')).toBeUndefined();
  expect(at('n:[1 TO |')).toBeUndefined();
  expect(at('n:>5|')).toBeUndefined();
  expect(at('n:/ab|')).toBeUndefined();
});

test('AND, OR and NOT may stand behind a clause', () => {
  expect(writtenAt('a:"b" A', 7)?.joins).toBe(true);
  expect(writtenAt('A', 1)?.joins).toBe(false);
});
