import { expect, test } from 'vitest';
import type { SearchHit } from '../../api/monitor';
import {
  asText,
  freshBody,
  type Line,
  levelOf,
  lineOf,
  merged,
  newestBody,
  plain,
  severityOf,
  widthOf,
} from './lines';

const wanted = { filter: [{ term: { 'container.name': 'web' } }], atLeast: '', text: '' } as const;

function line(id: string, at: number, offset = 0): Line {
  return { id, index: 'i', at, offset, level: '', host: '', container: '', logger: '', message: id };
}

function hit(source: SearchHit['_source']): SearchHit {
  return { _id: 'a', _index: 'logs-docker.container-default', _source: source };
}

test('a line is read whether its fields are nested or dotted', () => {
  const nested = lineOf(
    hit({ '@timestamp': '2026-01-01T00:00:00.500Z', message: 'm', log: { level: 'warn', offset: 7 } }),
  );
  const dotted = lineOf(
    hit({ '@timestamp': '2026-01-01T00:00:00.500Z', message: 'm', 'log.level': 'warn', 'log.offset': 7 }),
  );
  expect(nested).toEqual(dotted);
  expect(nested).toMatchObject({ at: Date.UTC(2026, 0, 1, 0, 0, 0, 500), offset: 7, level: 'warn' });
});

test('lines of one moment are in the order of their file, each once', () => {
  const known = [line('a', 1, 5), line('b', 2, 0)];
  const all = merged(known, [line('b', 2, 0), line('c', 2, 9), line('z', 1, 1)]);
  expect(all.map((one) => one.id)).toEqual(['z', 'a', 'b', 'c']);
});

test('nothing new leaves the very same list, so that nothing is drawn again', () => {
  const known = [line('a', 1)];
  expect(merged(known, [line('a', 1)])).toBe(known);
});

test('warnings and worse are asked of the storage', () => {
  const body = JSON.stringify(newestBody({ ...wanted, atLeast: 'warn' }, 10));
  expect(body).toContain('"warn"');
  expect(body).toContain('"fatal"');
  expect(JSON.stringify(newestBody({ ...wanted, atLeast: 'error' }, 10))).not.toContain('"warn"');
});

test('older lines come before the oldest shown, fresh ones after the newest', () => {
  expect(newestBody(wanted, 10, { at: 5, offset: 6 })).toMatchObject({
    search_after: [5, 6],
    sort: [{ '@timestamp': { order: 'desc' } }, { 'log.offset': { order: 'desc' } }],
  });
  expect(freshBody(wanted, 10, { at: 5, offset: 6 })).toMatchObject({
    search_after: [5, 6],
    sort: [{ '@timestamp': { order: 'asc' } }, { 'log.offset': { order: 'asc' } }],
  });
});

test('only lines of the span are asked for where there is one', () => {
  const span = { range: { '@timestamp': { gte: 1, lt: 2, format: 'epoch_millis' } } };
  expect(newestBody({ ...wanted, range: { from: 1, to: 2 } }, 10).query).toEqual({
    bool: { filter: [...wanted.filter, span] },
  });
  expect(JSON.stringify(newestBody(wanted, 10).query)).not.toContain('@timestamp');
});

test('the text that a reader gives is looked for in the line', () => {
  expect(JSON.stringify(newestBody({ ...wanted, text: ' time out ' }, 10))).toContain(
    '{"match_phrase_prefix":{"message":"time out"}}',
  );
});

test('what colours a terminal is not shown', () => {
  const code = String.fromCharCode(27);
  expect(plain(`${code}[31mred${code}[0m`)).toBe('red');
});

test('levels of any program are told apart by how bad they are', () => {
  expect(severityOf('FATAL')).toBe('bad');
  expect(severityOf('warning')).toBe('warn');
  expect(severityOf('trace')).toBe('low');
  expect(severityOf('')).toBe('plain');
});

test('copied lines have their time in UTC', () => {
  expect(asText([{ ...line('a', 0), level: 'error' }])).toBe('1970-01-01T00:00:00.000Z error a');
});

test('a level of the URL that is none asks for every line', () => {
  expect(['warn', 'error', 'fatal', '', null].map(levelOf)).toEqual(['warn', 'error', '', '', '']);
});

test('a column of names is as wide as its longest one, and no wider than it may be', () => {
  const lines = ['vm', 'yard', 'x'].map((host, at) => ({ ...line(host, at), host }));
  expect(widthOf(lines, 'host', 40)).toBe(4);
  expect(widthOf(lines, 'host', 3)).toBe(3);
  expect(widthOf([], 'host', 40)).toBe(0);
});
