// What a dry run says: where each instance would be and why not elsewhere, and the steps.
import type { PlanPreview } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../English';
import { Mark } from '../status/Mark';
import { useStepWord } from './step-words';

/** As people know it; a director of an older version told the allocator alone. */
function hostOf({ host, allocatorId }: { host: string; allocatorId: string }): string {
  return host || allocatorId.slice(0, 8);
}

export function Preview({ preview }: { preview: PlanPreview }) {
  const t = useT();
  const stepWord = useStepWord();
  return (
    <div className="stack" data-testid="preview">
      <ul className="placements">
        {preview.placements.map((one) => (
          <li key={one.instanceName}>
            <div className="line">
              <strong>{one.instanceName}</strong>
              {one.allocatorId ? (
                <Mark tone="good" word={one.stays ? t('preview.stays') : t('preview.goes')} />
              ) : (
                <Mark tone="bad" word={t('preview.nowhere')} />
              )}
              {one.allocatorId ? (
                <span>
                  {hostOf(one)} <span className="quiet">{one.zone}</span>
                </span>
              ) : null}
            </div>
            {one.refusals.length > 0 ? (
              <details open={!one.allocatorId}>
                <summary>{t('preview.refusals', { count: one.refusals.length })}</summary>
                <ul className="refusals">
                  {one.refusals.map((refusal) => (
                    <li key={refusal.allocatorId}>
                      {hostOf(refusal)}: <English>{refusal.reason}</English>
                    </li>
                  ))}
                </ul>
              </details>
            ) : null}
          </li>
        ))}
      </ul>
      {preview.plan && preview.plan.steps.length > 0 ? (
        <details>
          <summary>{t('preview.steps', { count: preview.plan.steps.length })}</summary>
          <ol className="refusals">
            {preview.plan.steps.map((step) => (
              <li key={`${step.stepId} ${step.subject}`} title={step.stepId}>
                {stepWord(step.stepId)} {step.subject}
              </li>
            ))}
          </ol>
        </details>
      ) : null}
    </div>
  );
}
