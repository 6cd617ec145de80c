import { expect, test } from 'vitest';
import type { JsonObject } from '../../api/monitor';
import { luceneOf } from './lucene';

const text = (query: Parameters<typeof luceneOf>[0]) => luceneOf(query).text;

test('the window of a watch is left to the time range of the link', () => {
  const window = { range: { '@timestamp': { gte: '{{from}}', lt: '{{to}}' } } };
  expect(luceneOf(window)).toEqual({ text: '', whole: true });
  expect(text({ bool: { filter: [window, { term: { 'docker.event.action': 'oom' } }] } })).toBe(
    'docker.event.action:"oom"',
  );
});

test('terms, prefixes, ranges and what must not be become text', () => {
  expect(text({ terms: { 'log.level': ['error', 'fatal'] } })).toBe('log.level:("error" OR "fatal")');
  expect(text({ prefix: { 'url.path': '/check out' } })).toBe('url.path:\\/check\\ out*');
  expect(text({ range: { status: { gte: 500, lt: 600 } } })).toBe('status:>=500 AND status:<600');
  expect(text({ bool: { must: [{ exists: { field: 'a' } }], must_not: [{ term: { b: true } }] } })).toBe(
    '_exists_:a AND NOT (b:"true")',
  );
});

test('either of two stays together beside a third', () => {
  const either: JsonObject = {
    bool: { should: [{ term: { a: 1 } }, { term: { b: 2 } }], minimum_should_match: 1 },
  };
  expect(text(either)).toBe('a:"1" OR b:"2"');
  expect(text({ bool: { filter: [either, { term: { c: 'x"y' } }] } })).toBe('(a:"1" OR b:"2") AND c:"x\\"y"');
});

test('what a reader typed stays as it is', () => {
  expect(text({ query_string: { query: 'level:error OR oops' } })).toBe('(level:error OR oops)');
  expect(text({ query_string: { query: '*' } })).toBe('');
});

test('what has no text is left out and told', () => {
  expect(luceneOf({ geo_distance: { distance: '1km', place: '0,0' } }).whole).toBe(false);
  const partly = luceneOf({
    bool: { filter: [{ term: { a: 1 } }, { script: { script: { source: 'x' } } }] },
  });
  expect(partly).toEqual({ text: 'a:"1"', whole: false });
});

test('several words of which one is enough are not told as if all were asked for', () => {
  const words = (more: JsonObject) => luceneOf({ query_string: { query: 'a b', ...more } }).whole;
  expect(words({})).toBe(false);
  expect(words({ default_operator: 'AND' })).toBe(true);
  expect(luceneOf({ query_string: { query: 'level:error' } }).whole).toBe(true);
  expect(luceneOf({ match: { message: 'out of memory' } })).toEqual({ text: '', whole: false });
  expect(luceneOf({ match: { message: 'oops' } })).toEqual({ text: 'message:"oops"', whole: true });
});
