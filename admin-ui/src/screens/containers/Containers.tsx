// Every container of every host, the one that uses the most first, or groups of them in the order of their use.
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { Containers as Service } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { type Choice, ListTable } from '../../shared/list/ListTable';
import { PageHead } from '../../shared/PageHead';
import { CONTAINER_STATES } from '../../shared/status/marks';
import { useSearchParams } from '../../shared/use-search-params';
import { ContainerGroups, GROUP_WORDS } from './ContainerGroups';
import { ContainerSum } from './ContainerSum';
import { useContainerColumns } from './columns';
import { GROUPED_BY, groupedBy, regrouped } from './group-by';

export default function Containers() {
  const t = useT();
  const columns = useContainerColumns();
  const [params, setParams] = useSearchParams();
  const by = groupedBy(params);
  const choices: Choice[] = [
    {
      field: 'state',
      label: t('state'),
      values: Object.entries(CONTAINER_STATES).map(([value, word]) => ({ value, label: t(word) })),
    },
  ];
  const tools = (
    <FormSelect
      aria-label={t('group.by')}
      value={by ?? ''}
      onChange={(_, value) => setParams((now) => regrouped(now, value))}
    >
      <FormSelectOption value="" label={t('group.none')} />
      {GROUPED_BY.map((one) => (
        <FormSelectOption key={one} value={one} label={t('group.one', { by: t(GROUP_WORDS[one]) })} />
      ))}
    </FormSelect>
  );
  return (
    <>
      <PageHead title={t('nav.containers')} />
      <Card flush>
        {by ? (
          <ContainerGroups by={by} choices={choices} tools={tools} />
        ) : (
          <ListTable
            label={t('containers.list')}
            method={Service.method.listContainers}
            input={(options) => ({ options })}
            rows={(answer) => answer.containers}
            info={(answer) => answer.info}
            rowKey={(one) => `${one.allocatorId} ${one.id}`}
            columns={columns}
            defaultSort="memory desc"
            search={{ field: 'name', label: 'containers.search' }}
            choices={choices}
            sum={(answer) => <ContainerSum sum={answer.sum} />}
            tools={tools}
            every={5_000}
            empty={{ title: t('containers.empty'), hint: t('containers.empty.hint') }}
          />
        )}
      </Card>
    </>
  );
}
