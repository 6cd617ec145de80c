import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { VacateSchema } from '../../generated/wharf/v1/allocators_pb';
import { movedOf } from './moved';

test('only what has arrived has moved', () => {
  const states = ['waiting', 'moving', 'moved', 'moved', 'failed', 'cancelled'];
  expect(movedOf(create(VacateSchema, { moves: states.map((state) => ({ state })) }))).toBe(2);
});
