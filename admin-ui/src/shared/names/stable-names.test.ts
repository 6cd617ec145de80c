import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  CHANNEL_KINDS,
  COPY_STAGES,
  HOST_LOSS,
  HOST_ROLES,
  RESOURCES,
  STRATEGIES,
  type StableNames,
  SUBJECTS,
} from './stable-names';

const root = join(import.meta.dirname, '../../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** The names that a contract lists before a field. */
function listed(contract: string, field: string): string[] {
  const comment = new RegExp(`((?: *//[^\\n]*\\n)+) *(?:repeated )?string ${field} = `).exec(
    read(`proto/wharf/v1/${contract}.proto`),
  );
  return [...(comment?.[1] ?? '').matchAll(/`([a-z_-]+)`/g)].map(([, name]) => name ?? '');
}

/** The words that follow `=>` in a part of a source. */
function named(path: string, begin: string): string[] {
  const source = read(path);
  const from = source.indexOf(begin);
  const body = source.slice(from, source.indexOf('\n    }\n', from));
  return [...body.matchAll(/=> "([a-z_-]+)"/g)].map(([, name]) => name ?? '');
}

const same = (names: StableNames, told: string[]) =>
  expect(Object.keys(names).sort()).toEqual([...new Set(told)].sort());

test('every name that the contracts list has a word, and there is no other', () => {
  same(HOST_ROLES, listed('allocators', 'roles'));
  same(RESOURCES, listed('deployments', 'kind'));
  same(HOST_LOSS, listed('deployments', 'on_host_loss'));
  same(CHANNEL_KINDS, listed('channels', 'kind'));
});

test('so has every strategy of placement and every stage of a copy', () => {
  same(STRATEGIES, named('director/core/src/placement/score.rs', 'pub const fn as_str(self)'));
  same(COPY_STAGES, named('director/core/src/observe.rs', 'impl CopyStage {'));
});

test('so has everything that changes and findings are about', () => {
  const command = read('director/core/src/command.rs');
  const from = command.indexOf('pub fn subject(&self)');
  const body = command.slice(from, command.indexOf('\n    }\n', from));
  const asked = [...body.matchAll(/=> (?:format!\()?"([a-z_]+)[/"]/g)].map(([, kind]) => kind ?? '');
  expect(asked.length, 'the subjects of commands are found').toBeGreaterThan(40);
  const findings = ['health.rs', 'health/snapshots.rs', 'health/transitions.rs', 'failure/problems.rs'];
  const found = findings.flatMap((file) =>
    [...read(`director/core/src/${file}`).matchAll(/subject_kind: "([a-z_]+)"|^ +"([a-z_]+)",$/gm)].map(
      ([, field, argument]) => field ?? argument ?? '',
    ),
  );
  expect(found, 'those of findings are found').toContain('lost_host');
  const seen = [...read('director/core/src/events.rs').matchAll(/format!\("([a-z]+)\/\{/g)].map(
    ([, kind]) => kind ?? '',
  );
  same(SUBJECTS, [...asked, ...found, ...seen]);
});
