import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { PlanStepSchema } from '../../generated/wharf/v1/plans_pb';
import { linesOf } from './PlanLog';

function step(stepId: string, ...times: number[]) {
  return create(PlanStepSchema, {
    stepId,
    subject: 'storage-0',
    log: times.map((ms) => ({ at: timestampFromMs(ms), text: `at ${ms}` })),
  });
}

test('lines of all steps are in order of time, each with its step', () => {
  expect(
    linesOf([step('start', 10, 30), step('route', 20)]).map(
      (one) => `${one.step} ${one.subject}: ${one.text}`,
    ),
  ).toEqual(['start storage-0: at 10', 'route storage-0: at 20', 'start storage-0: at 30']);
});
