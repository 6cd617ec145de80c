import { expect, test } from 'vitest';
import { allOf, discoverLink, fieldIs, fieldName, LEVEL_IS_ERROR, LOGS } from './discover-link';

test('a link has what was given and nothing else', () => {
  expect(discoverLink({})).toBe('/discover');
  const link = discoverLink({ indices: LOGS, q: fieldIs('container.id', 'a1'), follow: true });
  const params = new URLSearchParams(link.slice(link.indexOf('?')));
  expect(Object.fromEntries(params)).toEqual({ index: 'logs-*', q: 'container.id:"a1"', follow: '1' });
});

test('a value means itself whatever is in it', () => {
  expect(fieldIs('url.path', 'a "b" \\ (c) OR d')).toBe('url.path:"a \\"b\\" \\\\ (c) OR d"');
  expect(fieldIs('http.response.status_code', 503)).toBe('http.response.status_code:"503"');
});

test('what would end the name of a field is escaped', () => {
  expect(fieldName('docker.labels.a b:c')).toBe('docker.labels.a\\ b\\:c');
  expect(fieldName('-odd')).toBe('\\-odd');
  expect(fieldName('event.dataset-name')).toBe('event.dataset-name');
});

test('clauses are joined by AND, and an OR among them stays within its own', () => {
  expect(allOf('', 'a:"1"', ' ')).toBe('a:"1"');
  expect(allOf('a OR b', 'c:"1"')).toBe('(a OR b) AND c:"1"');
  expect(allOf('x:"1"', LEVEL_IS_ERROR)).toBe(`x:"1" AND ${LEVEL_IS_ERROR}`);
  expect(allOf('m:"this OR that"', 'b')).toBe('m:"this OR that" AND b');
  expect(allOf('a || b', 'c')).toBe('(a || b) AND c');
});
