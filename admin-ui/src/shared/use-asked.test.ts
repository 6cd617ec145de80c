import { expect, test } from 'vitest';
import { asking, searchWith } from './use-asked';

test('a link opens a dialog beside what else the URL holds', () => {
  expect(asking('/hosts/h1', 'vacate')).toBe('/hosts/h1?do=vacate');
  expect(asking('/hosts/h1?tab=logs', 'vacate')).toBe('/hosts/h1?tab=logs&do=vacate');
  expect(searchWith('?tab=logs', 'vacate')).toBe('?tab=logs&do=vacate');
});

test('another dialog takes the place of the one before, and none leaves no trace', () => {
  expect(searchWith('?do=resize&i.q=a', 'restart')).toBe('?do=restart&i.q=a');
  expect(searchWith('?do=resize&i.q=a', null)).toBe('?i.q=a');
  expect(searchWith('?do=resize', null)).toBe('');
});
