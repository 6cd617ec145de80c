// How long data is kept, in words. Pure: what was told is an argument.
import { type Retention, RetentionRule } from '../../generated/wharf/monitor/v1/search_pb';
import type { MessageKey } from '../../i18n/i18n';
import type { Params } from '../../i18n/language';

export type Words = [key: MessageKey, params?: Params];

/** Says a span that somebody has set. */
type SaySpan = (ms: number) => string;

export function keptText(of: Retention | undefined, t: (key: MessageKey) => string, span: SaySpan): string {
  if (of?.deletesAfterMs !== undefined) return span(Number(of.deletesAfterMs));
  return t(of?.rule === RetentionRule.NONE ? 'retention.forever' : 'retention.untold');
}

/** The same beside a name; nothing where it is not told. */
export function shortWords(of: Retention | undefined, span: SaySpan): Words | undefined {
  if (of?.deletesAfterMs !== undefined)
    return ['retention.kept.short', { span: span(Number(of.deletesAfterMs)) }];
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
  say: { span: SaySpan; bytes: (value: bigint) => string; documents: (count: bigint) => string },
): string[] {
  if (!of) return [];
  const { rollsOverAfterMs: age, rollsOverAtBytes: bytes, rollsOverAtDocuments: documents } = of;
  return [
    ...(age === undefined ? [] : [say.span(Number(age))]),
    ...(bytes === undefined ? [] : [say.bytes(bytes)]),
    ...(documents === undefined ? [] : [say.documents(documents)]),
  ];
}
