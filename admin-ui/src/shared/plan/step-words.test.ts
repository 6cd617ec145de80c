import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { STEPS } from './step-words';

test('every step that directors take has words, and there is no other', () => {
  const source = readFileSync(
    join(import.meta.dirname, '../../../../director/core/src/state/plan.rs'),
    'utf8',
  );
  const from = source.indexOf('impl StepKind {');
  const body = source.slice(from, source.indexOf('\n}\n', from));
  const steps = [...body.matchAll(/=> "([a-z_]+)"/g)].map(([, name]) => name ?? '');
  expect(steps.length, 'the names of steps are found').toBeGreaterThan(10);
  expect(Object.keys(STEPS).sort()).toEqual(steps.sort());
});
