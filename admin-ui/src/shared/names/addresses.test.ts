import { expect, test } from 'vitest';
import { domainOf } from './addresses';

test('the domain is what stands behind the star', () => {
  expect(domainOf('https://*.example.org:9243')).toBe('example.org');
  expect(domainOf('https://*.localhost')).toBe('localhost');
  expect(domainOf('')).toBe('–');
});
