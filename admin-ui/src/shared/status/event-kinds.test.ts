import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventKind, KOREAN, KOREAN_OF_MONITORING } from './event-kinds';

const core = join(import.meta.dirname, '../../../../director/core/src');
const read = (path: string) => readFileSync(join(core, path), 'utf8');
/** The words that a function `name` gives: of each command one. */
function named(source: string): string[] {
  const from = source.indexOf('pub const fn name(&self)');
  const body = source.slice(from, source.indexOf('\n    }\n', from));
  return [...body.matchAll(/=> "([a-z_]+)"/g)].map(([, word]) => word ?? '');
}

test('every kind of event that directors tell has a Korean word, and there is no other', () => {
  // Audit lines of these have another word among events: `KINDS_OF_COMMANDS`.
  const renamed = ['adopt_plan', 'supersede_plan'];
  const commands = [...named(read('command.rs')), ...named(read('command/authority.rs'))];
  expect(commands.length, 'the names of commands are found').toBeGreaterThan(60);
  const seen = [...read('events.rs').matchAll(/"((?:allocator|container|deployment|proxy|role)_[a-z_]+)"/g)];
  expect(seen.length, 'the names of observations are found').toBeGreaterThan(10);
  const known = new Set([...commands, ...seen.map(([, word]) => word ?? ''), 'plan_started']);
  for (const word of renamed) known.delete(word);
  expect(Object.keys(KOREAN).sort()).toEqual([...known].sort());
});

test('so has every change of a monitoring node', () => {
  const protos = ['alerts', 'dashboards', 'views', 'watches'].map((name) =>
    readFileSync(join(core, `../../../proto/wharf/monitor/v1/${name}.proto`), 'utf8'),
  );
  const methods = [...protos.join('\n').matchAll(/rpc ([A-Za-z]+)/g)].map(([, name]) => name ?? '');
  const changes = methods.filter((name) => !/^(Get|List|Preview)/.test(name));
  const words = changes.map((name) => name.replace(/(?!^)([A-Z])/g, '_$1').toLowerCase());
  expect(Object.keys(KOREAN_OF_MONITORING).sort()).toEqual(words.sort());
});

test('in English a kind is its own words, and so is one that is not known', () => {
  expect(eventKind('move_instance', 'en')).toBe('move instance');
  expect(eventKind('move_instance', 'ko')).toBe('인스턴스 이동');
  expect(eventKind('put_watch', 'ko')).toBe('감시 저장');
  expect(eventKind('fly_away', 'ko')).toBe('fly away');
});
