import { expect, test } from 'vitest';
import { isCurrent, PLACES } from './places';

const current = (path: string) => {
  const { pathname, search } = new URL(path, 'https://platform.example');
  return PLACES.flatMap((group) => group.places)
    .filter((place) => isCurrent(place, { pathname, search }))
    .map((place) => place.path);
};

test('one entry is that of the page', () => {
  expect(current('/')).toEqual(['/']);
  expect(current('/hosts/a1?tab=logs')).toEqual(['/hosts']);
  expect(current('/no/such/page')).toEqual([]);
});

test('of two entries with one path it is the one whose parameters the page has', () => {
  expect(current('/discover')).toEqual(['/discover']);
  expect(current('/discover?index=logs-*&q=x')).toEqual(['/discover?index=logs-*']);
  expect(current('/discover?index=logs-a-default,logs-b-default')).toEqual(['/discover?index=logs-*']);
  expect(current('/discover?index=logs-a-default,metrics-*')).toEqual(['/discover']);
});

test('every entry has a key of its own', () => {
  const keys = PLACES.flatMap((group) => group.places).map((place) => place.key);
  expect(new Set(keys).size, keys.join(' ')).toBe(keys.length);
});
