// What every step of a plan wrote, in order of time; the newest line stays in sight while it goes on.
import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import { clock } from '../../format/format';
import { msOf } from '../../format/use-format';
import type { PlanStep } from '../../generated/wharf/v1/plans_pb';
import { useI18n } from '../../i18n/i18n';
import { Empty } from '../Empty';
import { English } from '../English';
import { useStepWord } from './step-words';

export interface PlanLine {
  at: number;
  /** Its stable name. */
  step: string;
  subject: string;
  text: string;
}

/** Lines of one moment stay in the order of the steps. */
export function linesOf(steps: readonly PlanStep[]): PlanLine[] {
  return steps
    .flatMap((step) =>
      step.log.map((line) => ({
        at: msOf(line.at),
        step: step.stepId,
        subject: step.subject,
        text: line.text,
      })),
    )
    .sort((a, b) => a.at - b.at);
}

/** So near to the end, in pixels, is at the end. */
const NEAR = 24;

export function PlanLog({ steps }: { steps: readonly PlanStep[] }) {
  const { t, locale } = useI18n();
  const word = useStepWord();
  const lines = useMemo(() => linesOf(steps), [steps]);
  const box = useRef<HTMLPreElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is to happen when there are more lines
  useLayoutEffect(() => {
    if (box.current && atEnd) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length, atEnd]);
  if (lines.length === 0) return <Empty title={t('plan.log.none')} />;
  return (
    <pre
      ref={box}
      className="log plan-log"
      role="log"
      aria-label={t('plan.log.all')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: at }) => setAtEnd(at.scrollHeight - at.scrollTop - at.clientHeight < NEAR)}
    >
      {lines.map((line, index) => (
        // Lines are only ever added at the end: their place is their name.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <div key={index}>
          <time dateTime={new Date(line.at).toISOString()}>
            {clock(new Date(line.at), locale, new Date())}
          </time>{' '}
          <strong title={line.step}>{word(line.step)}</strong>{' '}
          {line.subject ? <strong>{line.subject}</strong> : null} <English>{line.text}</English>
        </div>
      ))}
    </pre>
  );
}
