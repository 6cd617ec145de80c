// What was done and is being done: plans of deployments and vacates of hosts, newest first, all or those of one host.
import { Tab, Tabs } from '@patternfly/react-core';
import { useRights } from '../../api/session';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Plans as Service } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import { HostInput } from '../../shared/names/HostInput';
import { PageHead } from '../../shared/PageHead';
import { panelId, TabPanel } from '../../shared/TabPanel';
import { useSearchParams } from '../../shared/use-search-params';
import { useVacateColumns } from '../hosts/vacate-columns';
import { usePlanChoices, useVacateChoices } from './choices';
import { usePlanColumns } from './columns';
import { listed, ofHost } from './of-host';

/** Which host's are listed. */
function HostChoice() {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const host = params.get('host') ?? '';
  return (
    <HostInput
      id="plans-host"
      label={t('host')}
      told={(one) => t('plans.host.one', { host: one })}
      none={t('plans.host.all')}
      chosen={host ? { id: '', host, zone: '' } : null}
      onChange={(chosen) => setParams((now) => ofHost(now, chosen?.host ?? ''))}
    />
  );
}

function PlanList() {
  const t = useT();
  const { seesPlatform } = useRights();
  const columns = usePlanColumns({ withDeployment: true });
  const choices = usePlanChoices();
  const host = useSearchParams()[0].get('host') ?? '';
  return (
    <Card flush>
      <ListTable
        label={t('plans.list')}
        method={Service.method.listPlans}
        input={(options) => ({ options, host })}
        rows={(answer) => answer.plans}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="created desc"
        search={{ field: 'deployment', label: 'plans.search' }}
        choices={choices}
        tools={seesPlatform ? <HostChoice /> : null}
        every={10_000}
        empty={
          host
            ? { title: t('plans.empty.host', { host }), hint: t('plans.empty.host.hint') }
            : { title: t('plans.empty'), hint: t('plans.empty.hint') }
        }
      />
    </Card>
  );
}

function VacateList() {
  const t = useT();
  const columns = useVacateColumns({ withHost: true });
  const choices = useVacateChoices();
  const host = useSearchParams()[0].get('host') ?? '';
  return (
    <Card flush>
      <ListTable
        label={t('host.vacates')}
        method={Allocators.method.listVacates}
        input={(options) => ({ options, allocator: host })}
        rows={(answer) => answer.vacates}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="created desc"
        choices={choices}
        tools={<HostChoice />}
        every={10_000}
        empty={{
          title: host ? t('host.vacates.none') : t('vacates.empty'),
          hint: t('host.vacates.none.hint'),
        }}
      />
    </Card>
  );
}

export default function Plans() {
  const t = useT();
  const { seesPlatform } = useRights();
  const [params, setParams] = useSearchParams();
  const tabs = [
    { key: 'plans', label: t('plans.list'), page: <PlanList /> },
    // Vacates are for those who see hosts.
    ...(seesPlatform ? [{ key: 'vacates', label: t('host.vacates'), page: <VacateList /> }] : []),
  ];
  const shown = tabs.find((tab) => tab.key === params.get('tab')) ?? tabs[0];
  if (!shown) return null;
  return (
    <>
      <PageHead title={t('nav.plans')} />
      {tabs.length > 1 ? (
        <Tabs
          activeKey={shown.key}
          aria-label={t('nav.plans')}
          onSelect={(_, key) => setParams((now) => listed(now, key === 'plans' ? '' : String(key)))}
        >
          {tabs.map((tab) => (
            <Tab key={tab.key} eventKey={tab.key} title={tab.label} tabContentId={panelId(tab.key)} />
          ))}
        </Tabs>
      ) : null}
      <TabPanel of={shown} key={shown.key}>
        {shown.page}
      </TabPanel>
    </>
  );
}
