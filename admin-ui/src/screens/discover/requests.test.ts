import { expect, test } from 'vitest';
import type { Hit } from './document';
import {
  afterOf,
  besideOf,
  completionBody,
  newerBody,
  OVERLAP_MS,
  pageBody,
  ranked,
  sinceOf,
  sourceFor,
} from './requests';
import { WHOLE } from './view-state';

const hit = (id: string, at: number): Hit => ({ _id: id, _index: 'i', _source: {}, sort: [at, null] });
const span = { from: 0, to: 1_000_000 };

test('a page goes on behind the last document, without those of its millisecond that are known', () => {
  const after = afterOf([hit('a', 50), hit('b', 40), hit('c', 40)]);
  expect(after).toEqual({ ms: 40, ids: ['c', 'b'] });
  const body = pageBody({ q: '', span, columns: ['message'] }, after, 10);
  expect(body.query).toEqual({
    bool: {
      filter: [{ range: { '@timestamp': { gte: 0, lt: 41, format: 'epoch_millis' } } }],
      must_not: [{ ids: { values: ['c', 'b'] } }],
    },
  });
  expect(afterOf([])).toBeUndefined();
});

test('more documents of one millisecond than can be named are left behind, not asked for for ever', () => {
  const many = Array.from({ length: 1_001 }, (_, at) => hit(`d${at}`, 7));
  expect(afterOf(many)).toEqual({ ms: 6, ids: [] });
});

const byLevel = { field: 'log.level', descending: false };
const found = (id: string, level: string | number | null, at: number): Hit => ({
  ...hit(id, at),
  sort: [level, at],
});

test('another order is asked of the storage, those without the field last', () => {
  const body = pageBody({ q: '', span, columns: ['message'], order: byLevel }, undefined, 10);
  expect(body.sort).toEqual([
    { 'log.level': { order: 'asc', missing: '_last', unmapped_type: 'keyword' } },
    { '@timestamp': { order: 'desc', unmapped_type: 'date' } },
  ]);
  expect(body).not.toHaveProperty('search_after');
});

test('a page of another order goes on at the value and moment where the one before it ended', () => {
  const hits = ranked([found('a', 'error', 90), found('b', 'info', 40), found('c', 'info', 40)], byLevel);
  expect(hits[0]).toMatchObject({ by: 'error', sort: [90] });
  const after = afterOf(hits, byLevel);
  expect(after).toEqual({ ms: 40, ids: ['c', 'b'], value: 'info' });
  const body = pageBody({ q: '', span, columns: [], order: byLevel }, after, 10);
  expect(body.search_after).toEqual(['info', 41]);
  expect(body.query).toEqual({
    bool: {
      filter: [{ range: { '@timestamp': { gte: 0, lt: 1_000_000, format: 'epoch_millis' } } }],
      must_not: [{ ids: { values: ['c', 'b'] } }],
    },
  });
});

test('documents of one moment with another value are not those that are known', () => {
  const hits = ranked([found('a', 'error', 40), found('b', 'info', 40)], byLevel);
  expect(afterOf(hits, byLevel)?.ids).toEqual(['b']);
});

test('what stands for no value comes back as none: it is too large to be sent as it was', () => {
  const byBytes = { field: 'bytes', descending: true };
  const hits = ranked([found('a', -(2 ** 63), 40)], byBytes);
  const body = pageBody({ q: '', span, columns: [], order: byBytes }, afterOf(hits, byBytes), 10);
  expect(body.search_after).toEqual([null, 41]);
});

test('the oldest first goes on with what is younger', () => {
  const oldest = { field: '@timestamp', descending: false };
  const after = afterOf(ranked([hit('a', 40), hit('b', 50)], oldest), oldest);
  const body = pageBody({ q: '', span, columns: [], order: oldest }, after, 10);
  expect(body.query).toMatchObject({
    bool: { filter: [{ range: { '@timestamp': { gte: 50, lt: 1_000_000 } } }] },
  });
  expect(body.sort).toMatchObject([{ '@timestamp': { order: 'asc' } }, { 'log.offset': { order: 'asc' } }]);
  const many = Array.from({ length: 1_001 }, (_, at) => hit(`d${at}`, 7));
  expect(afterOf(many, oldest)).toEqual({ ms: 8, ids: [] });
});

test('what is followed overlaps what is known, so that what comes late is seen too', () => {
  const known = [hit('a', 50_000), hit('b', 45_000), hit('c', 30_000)];
  expect(sinceOf(known, 0)).toEqual({ ms: 50_000 - OVERLAP_MS, ids: ['a', 'b'] });
  expect(sinceOf([], 90_000)).toEqual({ ms: 90_000 - OVERLAP_MS, ids: [] });
});

test('a flood narrows the overlap, so that a question stays short', () => {
  const known = Array.from({ length: 1_500 }, (_, at) => hit(`d${at}`, 20_000 - at));
  const since = sinceOf(known, 0);
  expect(since.ids.length).toBe(1_000);
  expect(since.ms).toBe(20_000 - 1_000 + 1);
  const body = JSON.stringify(newerBody('', since, ['message'], 500));
  expect(body.length).toBeLessThan(64 * 1_024);
});

test('only the fields that are columns are fetched, unless the whole document is one', () => {
  expect(sourceFor(['host.name'])).toEqual(['@timestamp', 'log.level', 'log.offset', 'host.name']);
  expect(sourceFor(['message']), 'requests have no message').toContain('http.request.method');
  expect(sourceFor(['event.dataset', WHOLE])).toBe(true);
});

test('a completion takes what is written as it stands', () => {
  const body = completionBody(span, 'url.path', 'keyword', '/a.b(');
  expect(body.aggs).toEqual({
    values: { terms: { field: 'url.path', size: 20, include: '/a\\.b\\(.*' } },
  });
  expect(completionBody(span, 'code', 'long', '5').aggs).toEqual({
    values: { terms: { field: 'code', size: 20 } },
  });
});

test('lines beside one are of its container, else of its file on its host', () => {
  expect(besideOf({ container: { id: 'c' }, host: { name: 'h' } })).toEqual([
    { term: { 'container.id': 'c' } },
  ]);
  expect(besideOf({ host: { name: 'h' }, log: { file: { path: '/x' } } })).toEqual([
    { term: { 'host.name': 'h' } },
    { term: { 'log.file.path': '/x' } },
  ]);
  expect(besideOf({ host: { name: 'h' } })).toBeUndefined();
});
