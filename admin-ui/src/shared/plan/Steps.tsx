// Steps of a plan in order, each with how long it took, what it waits for, and its log.

import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { PlanStep } from '../../generated/wharf/v1/plans_pb';
import { StepStatus } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../English';
import { StepMark } from '../status/marks';
import { Lasted } from '../When';
import { useStepWord } from './step-words';

function Row({ step }: { step: PlanStep }) {
  const t = useT();
  const word = useStepWord();
  return (
    <span className="step">
      <StepMark status={step.status} />
      <span>
        <strong title={step.stepId}>{word(step.stepId)}</strong> {step.subject}
      </span>
      <span className="quiet right">
        {step.startedAt ? <Lasted from={step.startedAt} to={step.endedAt} /> : null}
      </span>
      <English className="quiet waits">{step.waitsFor}</English>
      <span className="quiet right">
        {step.log.length > 0 ? t('plan.log', { lines: step.log.length }) : null}
      </span>
    </span>
  );
}

export function Steps({ steps }: { steps: readonly PlanStep[] }) {
  const t = useT();
  return (
    <ol className="steps" aria-label={t('plan.steps')}>
      {steps.map((step) => (
        <li key={`${step.stepId} ${step.subject}`}>
          {step.log.length > 0 ? (
            <details open={step.status === StepStatus.FAILED || step.status === StepStatus.RUNNING}>
              <summary>
                <Row step={step} />
              </summary>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
              <pre className="log" lang="en" tabIndex={0}>
                {step.log
                  .map((line) => `${line.at ? timestampDate(line.at).toISOString() : ''} ${line.text}`)
                  .join('\n')}
              </pre>
            </details>
          ) : (
            <Row step={step} />
          )}
        </li>
      ))}
    </ol>
  );
}
