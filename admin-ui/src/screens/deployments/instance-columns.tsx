// Columns of instances, the same wherever they are listed.
import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import { InstanceState } from '../../generated/wharf/v1/deployments_pb';
import type { PlacedInstance } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../../shared/English';
import type { Column } from '../../shared/list/Rows';
import { DeploymentLink, HostLink, PlanLink } from '../../shared/names/links';
import { Mark } from '../../shared/status/Mark';
import { HealthMark, InstanceMark } from '../../shared/status/marks';
import { Age } from '../../shared/When';
import { CHOSEN, InstanceButton } from './InstanceButton';

export function useInstanceColumns({ of }: { of: 'host' | 'deployment' }): Column<PlacedInstance>[] {
  const t = useT();
  const format = useFormat();
  const places: Column<PlacedInstance>[] = [
    { id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> },
    { id: 'zone', head: t('zone'), sort: 'zone', cell: (one) => one.instance?.zone },
  ];
  const columns: Column<PlacedInstance>[] = [
    {
      id: 'name',
      head: t('instance'),
      sort: 'name',
      cell: (one) =>
        of === 'deployment' ? (
          <InstanceButton id={one.instance?.id ?? ''} name={one.instance?.name ?? ''} />
        ) : (
          <Link to={`/deployments/${one.deploymentId}?${CHOSEN}=${one.instance?.id}`}>
            {one.instance?.name}
          </Link>
        ),
    },
  ];
  if (of === 'host') {
    columns.push({
      id: 'deployment',
      head: t('deployment'),
      sort: 'deployment',
      cell: (one) => <DeploymentLink id={one.deploymentId} name={one.deploymentName} />,
    });
  }
  columns.push(
    {
      id: 'state',
      head: t('state'),
      sort: 'state',
      cell: (one) =>
        one.paused ? (
          <Mark tone="off" word={t('instance.paused')} />
        ) : (
          <>
            <InstanceMark state={one.instance?.state ?? InstanceState.UNSPECIFIED} />
            {one.routingStopped ? <span className="quiet"> · {t('instance.unrouted')}</span> : null}
          </>
        ),
    },
    {
      id: 'health',
      head: t('health'),
      sort: 'health',
      cell: (one) => (one.instance ? <HealthMark health={one.instance.health} /> : null),
    },
    ...(of === 'host' ? [] : places),
    {
      id: 'memory',
      head: t('memory'),
      sort: 'memory',
      largest: true,
      right: true,
      cell: (one) => format.bytes(one.instance?.memoryBytes ?? 0n),
    },
    {
      id: 'disk',
      head: t('disk'),
      right: true,
      cell: (one) => format.bytes(one.instance?.diskBytes ?? 0n),
    },
    {
      id: 'restarts',
      head: t('instance.restarts'),
      right: true,
      cell: (one) => format.number(one.instance?.restarts ?? 0),
    },
    {
      id: 'started',
      head: t('instance.started'),
      right: true,
      cell: (one) => <Age at={one.instance?.startedAt} />,
    },
    { id: 'plan', head: t('plan'), cell: (one) => <PlanLink id={one.planId} /> },
    {
      id: 'reason',
      head: t('reason'),
      cell: (one) => <English title={one.instance?.reason ?? ''}>{one.instance?.reason}</English>,
    },
  );
  return columns;
}
