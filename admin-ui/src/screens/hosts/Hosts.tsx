// Every host, also those that are silent.
import { useFormat } from '../../format/use-format';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { HostLink } from '../../shared/names/links';
import { HOST_ROLES, useNameWord } from '../../shared/names/stable-names';
import { PageHead } from '../../shared/PageHead';
import { Usage } from '../../shared/Usage';
import { Age } from '../../shared/When';
import { HostMark } from './HostMark';

export default function Hosts() {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const columns: Column<Allocator>[] = [
    { id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> },
    { id: 'state', head: t('state'), sort: 'connected', cell: (one) => <HostMark host={one} /> },
    { id: 'zone', head: t('zone'), sort: 'zone', cell: (one) => one.zone },
    {
      id: 'roles',
      head: t('host.roles'),
      cell: (one) => one.roles.map((role) => word(HOST_ROLES, role)).join(', '),
    },
    {
      id: 'memory',
      head: t('memory.given'),
      sort: 'memory_given',
      largest: true,
      cell: (one) => (
        <Usage
          used={one.used?.memoryBytes ?? 0n}
          whole={one.capacity?.memoryBytes ?? 0n}
          of={t('memory.given')}
          label={`${format.bytes(one.used?.memoryBytes ?? 0n)} / ${format.bytes(one.capacity?.memoryBytes ?? 0n)}`}
        />
      ),
    },
    {
      id: 'inUse',
      head: t('memory.inUse'),
      sort: 'memory_in_use',
      largest: true,
      cell: (one) => (
        <Usage
          used={one.facts?.memoryUsedBytes ?? 0n}
          whole={one.facts?.memoryBytes ?? 0n}
          of={t('memory.inUse')}
        />
      ),
    },
    {
      id: 'cpu',
      head: t('cpu'),
      sort: 'cpu',
      largest: true,
      cell: (one) => <Usage used={one.facts?.cpuPercent ?? 0} whole={100} of={t('cpu')} />,
    },
    {
      id: 'disk',
      head: t('disk.inUse'),
      sort: 'disk_in_use',
      largest: true,
      cell: (one) => (
        <Usage
          used={(one.facts?.diskBytes ?? 0n) - (one.facts?.diskFreeBytes ?? 0n)}
          whole={one.facts?.diskBytes ?? 0n}
          of={t('disk.inUse')}
        />
      ),
    },
    {
      id: 'instances',
      head: t('instances'),
      sort: 'instances',
      largest: true,
      right: true,
      cell: (one) => format.number(one.instances),
    },
    {
      id: 'containers',
      head: t('nav.containers'),
      sort: 'containers',
      largest: true,
      right: true,
      cell: (one) => format.number(one.containers),
    },
    { id: 'since', head: t('host.since'), right: true, cell: (one) => <Age at={one.since} /> },
  ];
  return (
    <>
      <PageHead title={t('nav.hosts')} />
      <Card flush>
        <ListTable
          label={t('hosts.list')}
          method={Allocators.method.listAllocators}
          input={(options) => ({ options })}
          rows={(answer) => answer.allocators}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={columns}
          defaultSort="host"
          search={{ field: 'host', label: 'hosts.search' }}
          choices={[
            {
              field: 'connected',
              label: t('host.connection'),
              values: [
                { value: 'true', label: t('host.connected') },
                { value: 'false', label: t('host.silent') },
              ],
            },
            {
              field: 'maintenance',
              label: t('host.maintenance'),
              values: [
                { value: 'true', label: t('yes') },
                { value: 'false', label: t('no') },
              ],
            },
          ]}
          every={15_000}
          empty={{ title: t('hosts.empty'), hint: t('hosts.empty.hint') }}
        />
      </Card>
    </>
  );
}
