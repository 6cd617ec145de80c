import { expect, test } from 'vitest';
import {
  columnsFor,
  everything,
  fromDocument,
  joined,
  lastingLink,
  moved,
  nameFor,
  readView,
  toDocument,
  toggled,
  topClauses,
  WHOLE,
  withClause,
  withoutClause,
  writeView,
} from './view-state';

test('what is shown is read back from its URL, and what is empty is left out', () => {
  const view = {
    indices: ['logs-*', 'metrics-docker.cpu-default'],
    q: 'a:"b c" AND d',
    columns: ['log.level', 'message'],
    order: { field: 'log.level', descending: true },
    follow: false,
    doc: 'x1',
    view: 'mine',
  };
  const params = writeView(new URLSearchParams('in=web&from=now-1h'), view);
  expect(readView(params)).toEqual(view);
  expect(params.get('in'), 'other parameters stay').toBe('web');
  const less = writeView(params, { q: '', follow: false, doc: '', columns: [] });
  expect([...less.keys()].sort()).toEqual(['from', 'in', 'index', 'sort', 'view']);
});

test('what is followed is in the order of its time, whatever the URL says', () => {
  const view = readView(new URLSearchParams('sort=log.level&follow=1'));
  expect(view.follow).toBe(true);
  expect(view.order).toEqual({ field: '@timestamp', descending: true });
});

test('a link that lasts has absolute times and the name of the deployment', () => {
  const here = new URL('https://host/discover?q=a&from=now-1h&to=now&follow=1&refresh=5');
  const link = new URL(lastingLink(here, 'system', { from: 0, to: 60_000 }));
  expect(Object.fromEntries(link.searchParams)).toEqual({
    q: 'a',
    in: 'system',
    from: '1970-01-01T00:00:00.000Z',
    to: '1970-01-01T00:01:00.000Z',
  });
});

test('all data streams are asked for by their kinds', () => {
  expect(everything(['logs-a-default', 'logs-b-default', 'metrics-c-default', 'filebeat'])).toEqual([
    'logs-*',
    'metrics-*',
    'filebeat*',
  ]);
  expect(everything([])).toEqual([]);
});

test('columns suit what is listed, and the widest stays last', () => {
  expect(columnsFor(['logs-*'])).toEqual(['log.level', 'service.name', 'message']);
  expect(columnsFor(['logs-*', 'metrics-*'])).toEqual(['event.dataset', WHOLE]);
  expect(toggled(['log.level', 'message'], 'host.name')).toEqual(['log.level', 'host.name', 'message']);
  expect(toggled(['log.level', 'host.name', 'message'], 'host.name')).toEqual(['log.level', 'message']);
  expect(moved(['a', 'b', 'c'], 'b', 1)).toEqual(['a', 'c', 'b']);
  expect(moved(['a', 'b', 'c'], 'a', -1), 'the first stays the first').toEqual(['a', 'b', 'c']);
});

test('a filter is put once, and takes its opposite out', () => {
  const once = withClause('timeout', 'host.name', 'a "b"', false);
  expect(once).toBe('timeout AND host.name:"a \\"b\\""');
  expect(withClause(once, 'host.name', 'a "b"', false)).toBe(once);
  expect(withClause(once, 'host.name', 'a "b"', true)).toBe('timeout AND NOT host.name:"a \\"b\\""');
  expect(withoutClause(once, 'host.name:"a \\"b\\""')).toBe('timeout');
});

test('a query with OR stays one clause beside a filter', () => {
  expect(joined('a OR b', 'c:"1"', 'NOT c:"1"')).toBe('(a OR b) AND c:"1"');
  expect(topClauses('(a OR b) AND c:"x AND y"')).toEqual(['(a OR b)', 'c:"x AND y"']);
  expect(topClauses('n:[1 TO 5] AND m')).toEqual(['n:[1 TO 5]', 'm']);
  expect(topClauses('  ')).toEqual([]);
});

test('a saved view reads back, and what is none is refused', () => {
  const state = { indices: ['logs-*'], q: 'x', columns: ['message'], from: 'now-1h', to: 'now' };
  expect(fromDocument(toDocument(state))).toEqual(state);
  const sorted = { ...state, sort: 'log.level desc' };
  expect(fromDocument(toDocument(sorted))).toEqual(sorted);
  expect(fromDocument('{"indices": "logs-*", "columns": [1, "a"], "q": 5}')).toEqual({
    indices: [],
    q: '',
    columns: ['a'],
    from: '',
    to: '',
  });
  expect(fromDocument('[]')).toBeUndefined();
  expect(fromDocument('nonsense')).toBeUndefined();
});

test('a view has a name that names may be, unlike the others', () => {
  expect(nameFor('Errors of the Shop!', [], 'r1')).toBe('errors-of-the-shop');
  expect(nameFor('Errors', ['errors'], 'r1')).toBe('errors-r1');
  expect(nameFor('오류', [], 'r1')).toBe('view-r1');
});
