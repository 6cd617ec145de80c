// Columns of plans, the same wherever they are listed.
import { useFormat } from '../../format/use-format';
import type { Plan } from '../../generated/wharf/v1/plans_pb';
import { StepStatus } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../../shared/English';
import type { Column } from '../../shared/list/Rows';
import { whenColumns } from '../../shared/list/when-columns';
import { DeploymentLink, PlanLink } from '../../shared/names/links';
import { Actor } from '../../shared/names/Subject';
import { useStepWord } from '../../shared/plan/step-words';
import { KINDS, PlanMark } from '../../shared/status/marks';

/** What it does now, or why it ended as it did. */
function Remark({ plan }: { plan: Plan }) {
  const t = useT();
  const word = useStepWord();
  if (plan.reason) {
    const why = plan.errorCode ? `${plan.errorCode}: ${plan.reason}` : plan.reason;
    return <English title={why}>{why}</English>;
  }
  const running = plan.steps.find((step) => step.status === StepStatus.RUNNING);
  if (!running) return null;
  const step = [word(running.stepId), running.subject].filter(Boolean).join(' ');
  if (!running.waitsFor) return <span title={running.stepId}>{step}</span>;
  const waits = `${step} · ${t('plan.remark.waits')}`;
  return (
    <span title={`${running.stepId}\n${waits} ${running.waitsFor}`}>
      {waits} <English>{running.waitsFor}</English>
    </span>
  );
}

export function usePlanColumns({ withDeployment }: { withDeployment: boolean }): Column<Plan>[] {
  const t = useT();
  const format = useFormat();
  const columns: Column<Plan>[] = [
    {
      id: 'kind',
      head: t('plan'),
      sort: 'kind',
      cell: (one) => <PlanLink id={one.id}>{t(KINDS[one.kind])}</PlanLink>,
    },
  ];
  if (withDeployment) {
    columns.push({
      id: 'deployment',
      head: t('deployment'),
      sort: 'deployment',
      cell: (one) => <DeploymentLink id={one.deploymentId} name={one.deploymentName} />,
    });
  }
  columns.push(
    { id: 'status', head: t('state'), sort: 'status', cell: (one) => <PlanMark status={one.status} /> },
    {
      id: 'steps',
      head: t('plan.steps'),
      right: true,
      cell: (one) =>
        `${format.number(one.steps.filter((step) => step.status === StepStatus.DONE).length)} / ${format.number(one.steps.length)}`,
    },
    { id: 'actor', head: t('plan.actor'), cell: (one) => <Actor actor={one.actor} /> },
    ...whenColumns<Plan>(t),
    {
      id: 'remark',
      head: t('plan.remark'),
      cell: (one) => <Remark plan={one} />,
    },
  );
  return columns;
}
