// Columns of containers, the same wherever they are listed.
import { useFormat } from '../../format/use-format';
import type { Container } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import type { Column } from '../../shared/list/Rows';
import { ContainerLink, DeploymentLink, HostLink, LogLink } from '../../shared/names/links';
import { Mark } from '../../shared/status/Mark';
import { ContainerMark } from '../../shared/status/marks';
import { Usage } from '../../shared/Usage';
import { Age } from '../../shared/When';
import { useOomCounts } from './use-oom-counts';

/** How much of the time its limit held it back: from a quarter on it is felt. */
function Throttled({ percent }: { percent: number | undefined }) {
  const format = useFormat();
  if (percent === undefined) return <>–</>;
  const figure = `${format.number(percent, 1)} %`;
  if (percent < 25) return <>{figure}</>;
  return <Mark tone={percent < 60 ? 'warn' : 'bad'} word={figure} />;
}

export function useContainerColumns({ withoutHost }: { withoutHost?: boolean } = {}): Column<Container>[] {
  const t = useT();
  const format = useFormat();
  const ooms = useOomCounts();
  const rate = (value: number | undefined) => (value === undefined ? '–' : `${format.bytes(value)}/s`);
  const columns: Column<Container>[] = [
    {
      id: 'name',
      head: t('container'),
      sort: 'name',
      cell: (one) => (
        <>
          <LogLink host={one.host} name={one.name} />{' '}
          <ContainerLink host={one.host} name={one.name} title={`${one.image}\n${one.id}`} />
        </>
      ),
    },
    {
      id: 'memory',
      head: t('memory'),
      sort: 'memory',
      largest: true,
      cell: (one) =>
        one.sample ? (
          <Usage
            used={one.sample.memoryBytes}
            whole={one.sample.memoryLimitBytes}
            of={t('memory')}
            label={format.bytes(one.sample.memoryBytes)}
          />
        ) : (
          <span className="quiet">–</span>
        ),
    },
    {
      id: 'cpu',
      head: t('cpu'),
      sort: 'cpu',
      largest: true,
      right: true,
      cell: (one) => (one.sample ? `${format.number(one.sample.cpuPercent, 1)} %` : '–'),
    },
    {
      id: 'throttled',
      head: t('container.throttled'),
      sort: 'throttled',
      largest: true,
      right: true,
      cell: (one) => <Throttled percent={one.sample?.throttledPercent} />,
    },
    { id: 'application', head: t('application'), sort: 'application', cell: (one) => one.application },
    {
      id: 'deployment',
      head: t('deployment'),
      sort: 'deployment',
      cell: (one) => <DeploymentLink id={one.deploymentId} name={one.deploymentName} />,
    },
  ];
  if (!withoutHost) {
    columns.push({ id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> });
  }
  columns.push(
    {
      id: 'state',
      head: t('state'),
      sort: 'state',
      cell: (one) =>
        one.outOfMemory ? (
          <Mark tone="bad" word={t('container.oom')} />
        ) : (
          <ContainerMark state={one.state} health={one.health} />
        ),
    },
    {
      id: 'oom',
      head: t('containers.oom'),
      right: true,
      cell: (one) => {
        if (!ooms) return <span title={t('containers.oom.unknown')}>–</span>;
        const count = ooms(one.host, one.name);
        const title = t('containers.oom.about', { count });
        if (count === 0) return <span title={title}>0</span>;
        return (
          <span title={title}>
            <Mark tone="bad" word={format.number(count)} />
          </span>
        );
      },
    },
    {
      id: 'in',
      head: t('network.in'),
      right: true,
      cell: (one) => rate(one.sample?.networkInBytesPerSecond),
    },
    {
      id: 'out',
      head: t('network.out'),
      right: true,
      cell: (one) => rate(one.sample?.networkOutBytesPerSecond),
    },
    { id: 'age', head: t('age'), sort: 'created', right: true, cell: (one) => <Age at={one.createdAt} /> },
  );
  return columns;
}
