import { expect, test } from 'vitest';
import { listed, ofHost } from './of-host';

const of = (query: string) => new URLSearchParams(query);

test('plans of another host begin at the first page, with the same filters and order', () => {
  const at = of('f.status=failed&sort=kind&after=T&page=2&host=h1');
  expect(ofHost(at, 'h2').toString()).toBe('f.status=failed&sort=kind&host=h2');
  expect(ofHost(at, '').toString()).toBe('f.status=failed&sort=kind');
});

test('vacates are those of the host whose plans were listed, and are not asked for what only plans have', () => {
  const plans = of('f.kind=move&sort=kind&q=web&after=T&page=2&host=h1');
  expect(listed(plans, 'vacates').toString()).toBe('tab=vacates&host=h1');
  expect(listed(of('tab=vacates&sort=host&host=h1'), '').toString()).toBe('host=h1');
  expect(listed(of('f.kind=move'), '').toString()).toBe('');
});
