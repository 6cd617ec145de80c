// Columns of plans, the same wherever they are listed.
import type { Plan } from '../../generated/wharf/v1/plans_pb';
import { StepStatus } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import type { Column } from '../../shared/list/Rows';
import { DeploymentLink, PlanLink } from '../../shared/names/links';
import { KINDS, PlanMark } from '../../shared/status/marks';
import { Clock, Lasted } from '../../shared/When';

/** What it does now, or why it ended as it did. */
export function remarkOf(plan: Plan): string {
  if (plan.reason) return plan.errorCode ? `${plan.errorCode}: ${plan.reason}` : plan.reason;
  const running = plan.steps.find((step) => step.status === StepStatus.RUNNING);
  return running ? [running.stepId, running.subject, running.waitsFor].filter(Boolean).join(' ') : '';
}

export function usePlanColumns({ withDeployment }: { withDeployment: boolean }): Column<Plan>[] {
  const t = useT();
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
        `${one.steps.filter((step) => step.status === StepStatus.DONE).length} / ${one.steps.length}`,
    },
    { id: 'actor', head: t('plan.actor'), cell: (one) => one.actor },
    {
      id: 'created',
      head: t('plan.begun'),
      sort: 'created',
      largest: true,
      cell: (one) => <Clock at={one.createdAt} />,
    },
    {
      id: 'lasted',
      head: t('plan.lasted'),
      right: true,
      cell: (one) => <Lasted from={one.createdAt} to={one.endedAt} />,
    },
    {
      id: 'remark',
      head: t('plan.remark'),
      cell: (one) => <span title={remarkOf(one)}>{remarkOf(one)}</span>,
    },
  );
  return columns;
}
