import { expect, test } from 'vitest';
import { partsOf, shortName } from './Subject';

test('a subject is its kind and its name, which may have slashes', () => {
  expect(partsOf('plan/1a2b')).toEqual({ kind: 'plan', name: '1a2b' });
  expect(partsOf('deployment/1a2b/credentials')).toEqual({ kind: 'deployment', name: '1a2b/credentials' });
  expect(partsOf('routes')).toEqual({ kind: 'routes', name: '' });
});

test('an id is told by its beginning, a name as it is', () => {
  expect(shortName('0123456789abcdef0123456789abcdef')).toBe('01234567');
  expect(shortName('placement.strategy')).toBe('placement.strategy');
});
