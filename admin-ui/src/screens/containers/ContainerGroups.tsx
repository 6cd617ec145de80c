// Containers by what they have in common: the group that uses the most first, each open to its containers.
import DownIcon from '@patternfly/react-icons/dist/esm/icons/angle-down-icon';
import RightIcon from '@patternfly/react-icons/dist/esm/icons/angle-right-icon';
import type { ReactNode } from 'react';
import { useCall } from '../../api/call';
import { useFormat } from '../../format/use-format';
import { type ContainerGroup, Containers } from '../../generated/wharf/v1/containers_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { type Choice, ListTable } from '../../shared/list/ListTable';
import { readState } from '../../shared/list/list-state';
import type { Column } from '../../shared/list/Rows';
import { DeploymentLink, HostLink } from '../../shared/names/links';
import { Refused } from '../../shared/Refused';
import { Mark } from '../../shared/status/Mark';
import { CONTAINER_STATES } from '../../shared/status/marks';
import { Share } from '../../shared/Usage';
import { useSearchParams } from '../../shared/use-search-params';
import { ContainerSum } from './ContainerSum';
import { useContainerColumns } from './columns';
import { filterOf, filterWithin, type GroupBy, INNER, opened } from './group-by';

export const GROUP_WORDS: Record<GroupBy, MessageKey> = {
  application: 'application',
  deployment: 'deployment',
  service: 'container.service',
  image: 'container.image',
  host: 'host',
  zone: 'zone',
  state: 'state',
};

/** What a group is called. */
function useGroupName(by: GroupBy): (key: string) => string {
  const t = useT();
  return (key) => {
    const word = by === 'state' ? CONTAINER_STATES[key] : undefined;
    return word ? t(word) : key || t('containers.without');
  };
}

/** The page of what a group is called after, where it has one. */
function GroupPage({ by, name }: { by: GroupBy; name: string }) {
  if (name === '') return null;
  if (by === 'host') return <HostLink host={name} />;
  if (by === 'deployment') return <DeploymentLink id={name} name={name} />;
  return null;
}

function Members({ by, name, filter }: { by: GroupBy; name: string; filter: string }) {
  const t = useT();
  const columns = useContainerColumns();
  const called = useGroupName(by);
  return (
    <ListTable
      label={t('containers.of', { group: called(name) })}
      prefix={INNER}
      method={Containers.method.listContainers}
      input={(options) => ({ options })}
      fixed={filterWithin(filter, by, name)}
      rows={(answer) => answer.containers}
      info={(answer) => answer.info}
      rowKey={(one) => `${one.allocatorId} ${one.id}`}
      columns={columns.filter((column) => column.id !== by)}
      defaultSort="memory desc"
      every={5_000}
      empty={{ title: t('list.none') }}
      tools={<GroupPage by={by} name={name} />}
    />
  );
}

interface ContainerGroupsProps {
  by: GroupBy;
  choices: Choice[];
  tools: ReactNode;
}

export function ContainerGroups({ by, choices, tools }: ContainerGroupsProps) {
  const t = useT();
  const format = useFormat();
  const called = useGroupName(by);
  const [params, setParams] = useSearchParams();
  const filter = filterOf(readState(params, '', ''));
  const open = params.get('open');
  const all = useCall(
    Containers.method.listContainers,
    { options: { filter, pageSize: 1 } },
    { every: 5_000, keep: true },
  );
  const whole = all.data?.sum;
  const columns: Column<ContainerGroup>[] = [
    {
      id: 'key',
      head: t(GROUP_WORDS[by]),
      sort: 'key',
      cell: ({ key }) => (
        <button
          type="button"
          className="group-name"
          aria-expanded={open === key}
          onClick={() =>
            setParams((now) => opened(now, open === key ? null : key), { replace: open === key })
          }
        >
          {open === key ? <DownIcon /> : <RightIcon />}
          <bdi className={key ? '' : 'quiet'} title={called(key)}>
            {called(key)}
          </bdi>
        </button>
      ),
    },
    {
      id: 'memory',
      head: t('memory'),
      sort: 'memory',
      largest: true,
      cell: ({ sum }) => (
        <Share
          part={sum?.memoryBytes ?? 0n}
          whole={whole?.memoryBytes ?? 0n}
          of={t('containers.share')}
          label={format.bytes(sum?.memoryBytes ?? 0n)}
        />
      ),
    },
    {
      id: 'cpu',
      head: t('cpu'),
      sort: 'cpu',
      largest: true,
      cell: ({ sum }) => (
        <Share
          part={sum?.cpuPercent ?? 0}
          whole={whole?.cpuPercent ?? 0}
          of={t('containers.share')}
          label={`${format.number(sum?.cpuPercent ?? 0, 1)} %`}
        />
      ),
    },
    {
      id: 'containers',
      head: t('nav.containers'),
      sort: 'containers',
      largest: true,
      right: true,
      cell: ({ sum }) => format.number(sum?.containers ?? 0),
    },
    {
      id: 'running',
      head: t('containers.running'),
      sort: 'running',
      largest: true,
      right: true,
      cell: ({ sum }) => format.number(sum?.running ?? 0),
    },
    {
      id: 'unmeasured',
      head: t('containers.unmeasured'),
      right: true,
      cell: ({ sum }) => (
        <span title={t('containers.unmeasured.about')}>{format.number(sum?.withoutSample ?? 0)}</span>
      ),
    },
    {
      id: 'restarts',
      head: t('instance.restarts'),
      sort: 'restarts',
      largest: true,
      right: true,
      cell: ({ sum }) => format.number(sum?.restarts ?? 0),
    },
    {
      id: 'oom',
      head: t('containers.ended.oom'),
      sort: 'out_of_memory',
      largest: true,
      right: true,
      cell: ({ sum }) =>
        sum && sum.outOfMemory > 0 ? <Mark tone="bad" word={format.number(sum.outOfMemory)} /> : '0',
    },
  ];
  return (
    <ListTable
      key={by}
      label={t('containers.groups')}
      method={Containers.method.listContainerGroups}
      input={(options) => ({
        groupBy: by,
        containerFilter: filter,
        options: { ...options, filter: '' },
      })}
      rows={(answer) => answer.groups}
      info={(answer) => answer.info}
      rowKey={(one) => one.key}
      columns={columns}
      defaultSort="memory desc"
      search={{ field: 'name', label: 'containers.search' }}
      choices={choices}
      sum={() => (
        <>
          {all.error ? (
            <Refused
              error={all.error}
              title={t('state.failed')}
              retry={() => void all.refetch()}
              busy={all.isFetching}
            />
          ) : null}
          <ContainerSum sum={whole} />
        </>
      )}
      inside={(one) => (open === one.key ? <Members by={by} name={one.key} filter={filter} /> : null)}
      innerPrefix={INNER}
      tools={tools}
      every={5_000}
      empty={{ title: t('containers.empty'), hint: t('containers.empty.hint') }}
    />
  );
}
