import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { DeploymentSnapshotsSchema } from '../../generated/wharf/v1/deployments_pb';
import { choicesOf, isFilledIn, isSame, policyOf, wishOf } from './snapshot-policy';

const snapshots = create(DeploymentSnapshotsSchema, {
  repository: 'backups',
  intervalSeconds: 5_400n,
  keep: 48,
});

test('a policy is written in minutes and sent in seconds', () => {
  const fields = policyOf({ snapshots });
  expect(fields).toEqual({ repository: 'backups', minutes: '90', keep: '48' });
  expect(wishOf(fields)).toEqual({ repository: 'backups', intervalSeconds: 5_400n, keep: 48 });
  expect(wishOf({ ...fields, minutes: '1.5' }).intervalSeconds).toBe(90n);
});

test('a repository that is gone can still be chosen where it is the present one', () => {
  const known = [{ name: 'backups' }, { name: 'cold' }];
  expect(choicesOf(known, 'former')).toEqual(['backups', 'cold', 'former']);
  expect(choicesOf(known, 'cold')).toEqual(['backups', 'cold']);
  expect(choicesOf([], '')).toEqual([]);
});

test('what is not written stays as it is', () => {
  expect(policyOf({})).toEqual({ repository: '', minutes: '', keep: '' });
  expect(wishOf({ repository: ' backups ', minutes: '', keep: '' })).toEqual({
    repository: 'backups',
    intervalSeconds: 0n,
    keep: 0,
  });
});

test('figures that are none are not sent', () => {
  const fields = policyOf({ snapshots });
  expect(isFilledIn(fields)).toBe(true);
  expect(isFilledIn(policyOf({}))).toBe(true);
  for (const wrong of [
    { minutes: '0' },
    { minutes: 'x' },
    { minutes: '-5' },
    { keep: '0' },
    { keep: '2.5' },
  ]) {
    expect(isFilledIn({ ...fields, ...wrong }), JSON.stringify(wrong)).toBe(false);
  }
});

test('fields that say what holds already change nothing', () => {
  const fields = policyOf({ snapshots });
  expect(isSame(fields, policyOf({ snapshots }))).toBe(true);
  for (const other of [{ repository: 'other' }, { minutes: '91' }, { keep: '49' }]) {
    expect(isSame(fields, { ...fields, ...other }), JSON.stringify(other)).toBe(false);
  }
});
