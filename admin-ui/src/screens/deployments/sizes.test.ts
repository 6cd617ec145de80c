import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { TemplateResourceSchema } from '../../generated/wharf/v1/templates_pb';
import { choices, choicesWith, diskChoices, usualDisk } from './sizes';

test('sizes double from the least to the most', () => {
  expect(choices(256n, 2048n)).toEqual([256n, 512n, 1024n, 2048n]);
  expect(choices(256n, 2000n)).toEqual([256n, 512n, 1024n]);
});

test('limits that are not there make no endless list', () => {
  expect(choices(0n, 100n)).toEqual([0n]);
  expect(choices(2n, 1n)).toEqual([]);
});

test('a size that is there already is offered, in its place', () => {
  expect(choicesWith([256n, 512n], 300n)).toEqual([256n, 300n, 512n]);
  expect(choicesWith([256n, 512n], 512n)).toEqual([256n, 512n]);
});

const resource = create(TemplateResourceSchema, {
  kind: 'storage',
  instanceConfiguration: { minMemoryBytes: 256n, maxMemoryBytes: 1024n, diskMultiplier: 20 },
  defaultSize: { memoryBytes: 512n, diskBytes: 9000n },
});

test('a disk follows its memory, and the template where no memory is named', () => {
  expect(usualDisk(resource, '256')).toBe(5120n);
  expect(usualDisk(resource, undefined)).toBe(9000n);
});

test('disks are offered from that of the least memory to that of the most', () => {
  expect(diskChoices(resource)).toEqual([5120n, 10240n, 20480n]);
  expect(diskChoices(create(TemplateResourceSchema, {}))).toEqual([]);
});
