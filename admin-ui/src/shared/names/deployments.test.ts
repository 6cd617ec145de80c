import { expect, test } from 'vitest';
import { ownNames } from './deployments';

test("the platform's own deployment is offered to those alone who see the platform", () => {
  const all = [
    { name: 'shop', systemOwned: false },
    { name: 'system', systemOwned: true },
  ];
  expect(ownNames(all, true)).toEqual(['shop', 'system']);
  expect(ownNames(all, false)).toEqual(['shop']);
});
