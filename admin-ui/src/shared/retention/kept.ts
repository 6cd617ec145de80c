// How long data is kept, in words. Pure: what was told is an argument.
import { type Retention, RetentionRule } from '../../generated/wharf/monitor/v1/search_pb';
import type { MessageKey } from '../../i18n/i18n';
import type { Params } from '../../i18n/language';

export type Words = [key: MessageKey, params?: Params];

const UNITS: [name: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** A span that somebody has set, to the second and without parts that are nothing: `7 d`, `1 d 12 h`. */
export function spanOf(ms: bigint | number): string {
  let rest = Number(ms);
  const parts: string[] = [];
  for (const [name, length] of UNITS) {
    const count = Math.floor(rest / length);
    if (count > 0) parts.push(`${count} ${name}`);
    rest -= count * length;
  }
  return parts.join(' ') || '0 s';
}

export function keptText(of: Retention | undefined, t: (key: MessageKey) => string): string {
  if (of?.deletesAfterMs !== undefined) return spanOf(of.deletesAfterMs);
  return t(of?.rule === RetentionRule.NONE ? 'retention.forever' : 'retention.untold');
}

/** The same beside a name; nothing where it is not told. */
export function shortWords(of: Retention | undefined): Words | undefined {
  if (of?.deletesAfterMs !== undefined) return ['retention.kept.short', { span: spanOf(of.deletesAfterMs) }];
  return of?.rule === RetentionRule.NONE ? ['retention.kept.short.forever'] : undefined;
}

/** What decides it. */
export function ruleWords(of: Retention | undefined): Words {
  const policy = of?.policy ?? '';
  switch (of?.rule) {
    case RetentionRule.POLICY:
      return ['retention.rule.policy.named', { policy }];
    case RetentionRule.LIFECYCLE:
      return ['retention.rule.lifecycle'];
    case RetentionRule.DEFAULT:
      return ['retention.rule.default'];
    case RetentionRule.NONE:
      return policy ? ['retention.rule.none.policy', { policy }] : ['retention.rule.none'];
    default:
      return policy ? ['retention.rule.unknown.policy', { policy }] : ['retention.rule.unknown'];
  }
}

/** When the index that is written to is full: the first of these. */
export function rolloverOf(
  of: Retention | undefined,
  say: { bytes: (value: bigint) => string; documents: (count: bigint) => string },
): string[] {
  if (!of) return [];
  const { rollsOverAfterMs: age, rollsOverAtBytes: bytes, rollsOverAtDocuments: documents } = of;
  return [
    ...(age === undefined ? [] : [spanOf(age)]),
    ...(bytes === undefined ? [] : [say.bytes(bytes)]),
    ...(documents === undefined ? [] : [say.documents(documents)]),
  ];
}
