import { expect, test } from 'vitest';
import { cleared, optionsOf, readState, writeState } from './list-state';

const read = (query: string, prefix = '') => readState(new URLSearchParams(query), prefix, 'memory desc');

test('a bare URL is the first page in the usual order', () => {
  expect(read('')).toEqual({
    search: '',
    filters: {},
    sort: 'memory',
    descending: true,
    after: '',
    page: 1,
    size: 100,
  });
});

test('nonsense in a URL is what a bare one is', () => {
  expect(read('page=-3&size=99999')).toMatchObject({ page: 1, size: 100 });
  expect(read('page=x')).toMatchObject({ page: 1 });
});

test('search, filters and order become what the server is asked', () => {
  const state = read('q=store&f.state=running&sort=name');
  expect(optionsOf(state, 'name', 'allocator_id=1')).toEqual({
    pageSize: 100,
    pageToken: '',
    filter: 'allocator_id=1 and state="running" and name~"store"',
    orderBy: 'name',
  });
});

test('a quote cannot end a value early', () => {
  const asked = optionsOf(read('q=a%22 and state~%22b'), 'name', undefined);
  expect(asked.filter).toBe('name~"a and state~b"');
});

test('another order or search begins at the first page, another page keeps both', () => {
  const at = new URLSearchParams('q=a&sort=name&after=TOKEN&page=3');
  expect(writeState(at, '', { sort: 'cpu desc' }).toString()).toBe('q=a&sort=cpu+desc');
  expect(writeState(at, '', { q: '' }).toString()).toBe('sort=name');
  expect(writeState(at, '', { after: 'NEXT', page: '4' }).toString()).toBe('q=a&sort=name&after=NEXT&page=4');
});

test('two lists of one page do not mix', () => {
  const params = new URLSearchParams('i.q=a&c.q=b&c.f.state=running');
  expect(readState(params, 'i.', 'name').search).toBe('a');
  expect(readState(params, 'c.', 'name')).toMatchObject({ search: 'b', filters: { state: 'running' } });
  expect(readState(params, 'i.', 'name').filters).toEqual({});
  expect(writeState(params, 'i.', { q: '' }).toString()).toBe('c.q=b&c.f.state=running');
});

test('clearing a list leaves what else the address says', () => {
  const params = new URLSearchParams(
    'in=d1&tab=x&q=a&f.zone=z&after=t&page=2&b.q=other&b.f.zone=y&b.page=3&sort=name',
  );
  expect(String(cleared(params, ''))).toBe('in=d1&tab=x&b.q=other&b.f.zone=y&b.page=3&sort=name');
  expect(String(cleared(params, 'b.'))).toBe('in=d1&tab=x&q=a&f.zone=z&after=t&page=2&sort=name');
});
