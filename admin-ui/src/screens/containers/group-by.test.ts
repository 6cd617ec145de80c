import { expect, test } from 'vitest';
import { readState } from '../../shared/list/list-state';
import { filterOf, filterWithin, groupedBy, opened, regrouped } from './group-by';

const of = (query: string) => new URLSearchParams(query);

test('containers are grouped by what the server groups them by, and by nothing else', () => {
  expect(groupedBy(of('group=zone'))).toBe('zone');
  expect(groupedBy(of('group=exit_code'))).toBeUndefined();
  expect(groupedBy(of(''))).toBeUndefined();
});

test('another grouping keeps search, filters and order, and begins at the first page with none open', () => {
  const at = of(
    'q=a&f.state=running&sort=restarts+desc&after=T&page=2&group=host&open=h1&c.after=U&c.page=3',
  );
  expect(regrouped(at, 'zone').toString()).toBe('q=a&f.state=running&sort=restarts+desc&group=zone');
});

test('an order is kept where both lists have it, and given up where one has not', () => {
  expect(regrouped(of('sort=cpu+desc'), 'host').toString()).toBe('sort=cpu+desc&group=host');
  expect(regrouped(of('sort=throttled+desc'), 'host').toString()).toBe('group=host');
  expect(regrouped(of('sort=containers+desc&group=host'), '').toString()).toBe('');
});

test('the order within a group is kept when another is opened, the page is not', () => {
  const at = of('group=host&open=h1&c.sort=cpu+desc&c.after=U&c.page=3&page=2&after=T');
  expect(opened(at, 'h2').toString()).toBe('group=host&open=h2&c.sort=cpu+desc&page=2&after=T');
  expect(opened(at, null).toString()).toBe('group=host&c.sort=cpu+desc&page=2&after=T');
});

test('those of no deployment are a group that opens, too', () => {
  expect(opened(of('group=deployment'), '').get('open')).toBe('');
  expect(filterWithin('', 'deployment', '')).toBe('deployment=""');
});

test('a group holds those of the page that have its key', () => {
  const filter = filterOf(readState(of('q=web&f.state=running&sort=cpu&page=2'), '', 'memory desc'));
  expect(filter).toBe('state="running" and name~"web"');
  expect(filterWithin(filter, 'host', 'h1')).toBe('state="running" and name~"web" and host="h1"');
});

test('a key with a quote in it is written without quotes around it', () => {
  expect(filterWithin('', 'application', 'a "b"')).toBe('application=a "b"');
});
