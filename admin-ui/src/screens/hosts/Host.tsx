// One host: what it is, what lies there, what can be done with it.
import { Alert } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useParams } from 'react-router';
import { keyOf, mutation, useCall, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { Instances } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Facts } from '../../shared/Facts';
import { ListTable } from '../../shared/list/ListTable';
import { PageHead } from '../../shared/PageHead';
import { Refused } from '../../shared/Refused';
import { Usage } from '../../shared/Usage';
import { Age } from '../../shared/When';
import { useContainerColumns } from '../containers/columns';
import { useInstanceColumns } from '../deployments/instance-columns';
import { HostMark } from './HostMark';
import { VacateDialog } from './VacateDialog';
import { Vacates } from './Vacates';

function HostFacts({ host }: { host: Allocator }) {
  const t = useT();
  const format = useFormat();
  const facts = host.facts;
  const tags = Object.entries(host.tags);
  return (
    <Facts
      facts={[
        [t('zone'), host.zone],
        [t('host.roles'), host.roles.join(', ') || '–'],
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

export default function Host() {
  const t = useT();
  const name = useParams().host ?? '';
  const rights = useRights();
  const queries = useQueryClient();
  const input = { allocator: name };
  const query = useCall(Allocators.method.getAllocator, input, { every: 10_000 });
  const [vacating, setVacating] = useState(false);
  const containerColumns = useContainerColumns({ withoutHost: true });
  const instanceColumns = useInstanceColumns({ of: 'host' });
  const update = useChange(Allocators.method.updateAllocator, (host) => {
    queries.setQueryData(keyOf(Allocators.method.getAllocator, input), host);
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Allocators'] });
  });
  const whyNot = rights.administers ? undefined : t('why.admin');
  const host = query.data;
  return (
    <>
      <PageHead
        title={host?.host ?? name}
        trail={[{ to: '/hosts', label: t('nav.hosts') }]}
        status={host ? <HostMark host={host} /> : null}
        actions={
          host ? (
            <>
              <ApiRequest method={Allocators.method.getAllocator} input={input} />
              <ActionButton
                variant="secondary"
                whyNot={whyNot}
                isLoading={update.isPending}
                onClick={() =>
                  update.mutate({
                    mutation: mutation(host.version),
                    allocator: host.id,
                    maintenance: !host.maintenance,
                  })
                }
              >
                {host.maintenance ? t('host.maintenance.end') : t('host.maintenance.begin')}
              </ActionButton>
              <ActionButton
                variant="secondary"
                whyNot={
                  whyNot ??
                  (host.vacateId ? t('vacate.runs') : host.instances === 0 ? t('vacate.nothing') : undefined)
                }
                onClick={() => setVacating(true)}
              >
                {t('vacate.begin')}
              </ActionButton>
            </>
          ) : null
        }
      />
      {update.error ? <Refused error={update.error} /> : null}
      {host?.problems.map((problem) => (
        <Alert key={problem.code} isInline variant="warning" title={`${problem.code}: ${problem.message}`}>
          {problem.hint}
        </Alert>
      ))}
      <Card title={t('host.about')}>
        <DataState query={query} lines={4}>
          {(data) => <HostFacts host={data} />}
        </DataState>
      </Card>
      {host ? (
        <>
          <Vacates host={host} />
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
          <Card flush>
            <ListTable
              label={t('nav.containers')}
              title={t('nav.containers')}
              prefix="c."
              method={Containers.method.listContainers}
              input={(options) => ({ options })}
              fixed={`allocator_id=${host.id}`}
              rows={(answer) => answer.containers}
              info={(answer) => answer.info}
              rowKey={(one) => one.id}
              columns={containerColumns}
              defaultSort="memory desc"
              search={{ field: 'name', label: 'containers.search' }}
              every={5_000}
              empty={{ title: t('containers.empty'), hint: t('containers.empty.hint') }}
            />
          </Card>
          {vacating ? <VacateDialog host={host} onClose={() => setVacating(false)} /> : null}
        </>
      ) : null}
    </>
  );
}
