// What a host is, what lies there, and what it did over time.
import { useFormat } from '../../format/use-format';
import type { Allocator } from '../../generated/wharf/v1/allocators_pb';
import { Instances } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { Facts } from '../../shared/Facts';
import { ListTable } from '../../shared/list/ListTable';
import { HOST_ROLES, useNameWord } from '../../shared/names/stable-names';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { Usage } from '../../shared/Usage';
import { Age } from '../../shared/When';
import { useInstanceColumns } from '../deployments/instance-columns';
import { HostCharts } from './HostCharts';
import { Vacates } from './Vacates';

function HostFacts({ host }: { host: Allocator }) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const facts = host.facts;
  const tags = Object.entries(host.tags);
  return (
    <Facts
      facts={[
        [t('zone'), host.zone],
        [t('host.roles'), host.roles.map((role) => word(HOST_ROLES, role)).join(', ') || '–'],
        [t('host.tags'), tags.map(([name, value]) => `${name}=${value}`).join(', ') || '–'],
        [host.connected ? t('host.connectedFor') : t('host.silentFor'), <Age key="since" at={host.since} />],
        [
          t('memory.given'),
          <Usage
            key="memory"
            used={host.used?.memoryBytes ?? 0n}
            whole={host.capacity?.memoryBytes ?? 0n}
            of={t('memory.given')}
            label={`${format.bytes(host.used?.memoryBytes ?? 0n)} / ${format.bytes(host.capacity?.memoryBytes ?? 0n)}`}
          />,
        ],
        [
          t('memory.inUse'),
          <Usage
            key="used"
            used={facts?.memoryUsedBytes ?? 0n}
            whole={facts?.memoryBytes ?? 0n}
            of={t('memory.inUse')}
            label={`${format.bytes(facts?.memoryUsedBytes ?? 0n)} / ${format.bytes(facts?.memoryBytes ?? 0n)}`}
          />,
        ],
        [
          t('cpu'),
          <Usage
            key="cpu"
            used={facts?.cpuPercent ?? 0}
            whole={100}
            of={t('cpu')}
            label={t('host.cpus', { cpus: facts?.cpus ?? 0, load: format.number(facts?.load1 ?? 0, 2) })}
          />,
        ],
        [
          t('disk.inUse'),
          <Usage
            key="disk"
            used={(facts?.diskBytes ?? 0n) - (facts?.diskFreeBytes ?? 0n)}
            whole={facts?.diskBytes ?? 0n}
            of={t('disk.inUse')}
            label={t('host.free', { free: format.bytes(facts?.diskFreeBytes ?? 0n) })}
          />,
        ],
        [t('host.address'), host.advertisedAddress || '–'],
        [t('host.engine'), facts ? `Docker ${facts.engineVersion}, cgroup ${facts.cgroup}` : '–'],
        [t('host.system'), facts ? `${facts.os}, ${facts.kernel}` : '–'],
        [t('version'), facts?.wharfVersion || '–'],
      ]}
    />
  );
}

export function HostOverview({ host, range }: { host: Allocator; range: TimeRange }) {
  const t = useT();
  const instanceColumns = useInstanceColumns({ of: 'host' });
  return (
    <>
      <Card title={t('host.about')}>
        <HostFacts host={host} />
      </Card>
      {host.vacateId ? <Vacates host={host} /> : null}
      <Card flush>
        <ListTable
          label={t('instances')}
          title={t('instances')}
          prefix="i."
          method={Instances.method.listInstances}
          input={(options) => ({ options, allocator: host.id })}
          rows={(answer) => answer.instances}
          info={(answer) => answer.info}
          rowKey={(one) => one.instance?.id ?? ''}
          columns={instanceColumns}
          defaultSort="name"
          every={10_000}
          empty={{ title: t('host.noInstances'), hint: t('host.noInstances.hint') }}
        />
      </Card>
      <HostCharts host={host.host} range={range} allocator={host} />
    </>
  );
}
