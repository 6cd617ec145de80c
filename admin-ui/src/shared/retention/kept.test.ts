import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { RetentionRule, RetentionSchema } from '../../generated/wharf/monitor/v1/search_pb';
import { keptText, rolloverOf, ruleWords, shortWords } from './kept';

const DAY = 86_400_000n;
const span = (ms: number) => `${ms / Number(DAY)} days`;
const said = (key: string) => key;
const of = (rule: RetentionRule, more: object = {}) => create(RetentionSchema, { rule, ...more });

test('what nothing deletes is kept until the disk is full', () => {
  expect(keptText(of(RetentionRule.NONE), said, span)).toBe('retention.forever');
  expect(shortWords(of(RetentionRule.NONE), span)).toEqual(['retention.kept.short.forever']);
});

test('what the storage does not tell is not said to be kept for ever', () => {
  for (const untold of [undefined, of(RetentionRule.UNSPECIFIED), of(RetentionRule.LIFECYCLE)]) {
    expect(keptText(untold, said, span)).toBe('retention.untold');
    expect(shortWords(untold, span)).toBeUndefined();
  }
});

test('an age at which data is deleted is told whoever decides it', () => {
  for (const rule of [RetentionRule.POLICY, RetentionRule.DEFAULT, RetentionRule.LIFECYCLE]) {
    const kept = of(rule, { deletesAfterMs: 7n * DAY });
    expect(keptText(kept, said, span)).toBe('7 days');
    expect(shortWords(kept, span)).toEqual(['retention.kept.short', { span: '7 days' }]);
  }
});

test('a policy is named, also one that deletes nothing and one that is not told', () => {
  const policy = 'month';
  expect(ruleWords(of(RetentionRule.POLICY, { policy }))).toEqual([
    'retention.rule.policy.named',
    { policy },
  ]);
  expect(ruleWords(of(RetentionRule.NONE, { policy }))[0]).toBe('retention.rule.none.policy');
  expect(ruleWords(of(RetentionRule.UNSPECIFIED, { policy }))[0]).toBe('retention.rule.unknown.policy');
  expect(ruleWords(of(RetentionRule.DEFAULT, { policy }))).toEqual(['retention.rule.default']);
  expect(ruleWords(undefined)).toEqual(['retention.rule.unknown']);
});

test('an index is rolled over by the limits that are told', () => {
  const say = { span, bytes: (value: bigint) => `${value} B`, documents: (count: bigint) => `${count} docs` };
  const full = of(RetentionRule.POLICY, {
    rollsOverAfterMs: DAY,
    rollsOverAtBytes: 5n,
    rollsOverAtDocuments: 9n,
  });
  expect(rolloverOf(full, say)).toEqual(['1 days', '5 B', '9 docs']);
  expect(rolloverOf(of(RetentionRule.NONE), say)).toEqual([]);
  expect(rolloverOf(undefined, say)).toEqual([]);
});
