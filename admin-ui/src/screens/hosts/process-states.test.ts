import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROCESS_STATES } from './process-states';

test('every state of a process that collectors write has a word, and there is no other', () => {
  const source = readFileSync(
    join(import.meta.dirname, '../../../../allocator/collectors/core/src/kernel/process.rs'),
    'utf8',
  );
  const from = source.indexOf('pub fn state_name(');
  const body = source.slice(from, source.indexOf('\n}\n', from));
  const states = [...body.matchAll(/=> "([a-z]+)"/g)].map(([, word]) => word ?? '');
  expect(Object.keys(PROCESS_STATES).sort()).toEqual(states.sort());
});
