import { expect, test } from 'vitest';
import { ownPath } from './own-path';

test('a path of our own is gone to with all that it says', () => {
  expect(ownPath('/containers?sort=cpu+desc')).toBe('/containers?sort=cpu+desc');
});

test('what could be another site is not gone to', () => {
  for (const other of [
    null,
    '',
    'https://example.org',
    '//example.org',
    '/\\example.org',
    '/\t/example.org',
  ]) {
    expect(ownPath(other), String(other)).toBe('/');
  }
});
