// Every container of every host, the one that uses the most first.
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useSearchParams } from 'react-router';
import { useFormat } from '../../format/use-format';
import { type Container, Containers as Service } from '../../generated/wharf/v1/containers_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import { writeState } from '../../shared/list/list-state';
import { PageHead } from '../../shared/PageHead';
import { CONTAINER_STATES } from '../../shared/status/marks';
import { useContainerColumns } from './columns';

const GROUPS: Record<string, { label: MessageKey; of: (one: Container) => string }> = {
  application: { label: 'application', of: (one) => one.application },
  deployment: { label: 'deployment', of: (one) => one.deploymentName },
  host: { label: 'host', of: (one) => one.host },
};

export default function Containers() {
  const t = useT();
  const format = useFormat();
  const columns = useContainerColumns();
  const [params, setParams] = useSearchParams();
  const name = params.get('group') ?? '';
  const group = GROUPS[name];
  return (
    <>
      <PageHead title={t('nav.containers')} />
      <Card flush>
        <ListTable
          label={t('containers.list')}
          method={Service.method.listContainers}
          input={(options) => ({ options: group ? { ...options, orderBy: name } : options })}
          rows={(answer) => answer.containers}
          info={(answer) => answer.info}
          rowKey={(one) => `${one.allocatorId} ${one.id}`}
          columns={group ? columns.map(({ sort: _, ...column }) => column) : columns}
          defaultSort="memory desc"
          search={{ field: 'name', label: 'containers.search' }}
          choices={[
            {
              field: 'state',
              label: t('state'),
              values: Object.entries(CONTAINER_STATES).map(([value, word]) => ({ value, label: t(word) })),
            },
          ]}
          group={group?.of}
          groupNote={(rows) =>
            t('containers.group', {
              count: rows.length,
              memory: format.bytes(rows.reduce((sum, one) => sum + Number(one.sample?.memoryBytes ?? 0n), 0)),
              cpu: format.number(
                rows.reduce((sum, one) => sum + (one.sample?.cpuPercent ?? 0), 0),
                1,
              ),
            })
          }
          tools={
            <FormSelect
              aria-label={t('group.by')}
              value={name}
              onChange={(_, value) =>
                setParams((now) => {
                  const next = writeState(now, '', {});
                  if (value) next.set('group', value);
                  else next.delete('group');
                  return next;
                })
              }
            >
              <FormSelectOption value="" label={t('group.none')} />
              {Object.entries(GROUPS).map(([value, { label }]) => (
                <FormSelectOption key={value} value={value} label={t('group.one', { by: t(label) })} />
              ))}
            </FormSelect>
          }
          every={5_000}
          empty={{ title: t('containers.empty'), hint: t('containers.empty.hint') }}
        />
      </Card>
    </>
  );
}
