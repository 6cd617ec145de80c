// One host: what it is, what lies there, what it does, and what can be done with it.
import { Alert, Tab, Tabs } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { keyOf, mutation, useCall, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequests, shownCall } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { English } from '../../shared/English';
import { ListTable } from '../../shared/list/ListTable';
import { PageHead } from '../../shared/PageHead';
import { Refused } from '../../shared/Refused';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { type TimeRange, useTimeRange } from '../../shared/time/useTimeRange';
import { useAsked } from '../../shared/use-asked';
import { useSearchParams } from '../../shared/use-search-params';
import { useContainerColumns } from '../containers/columns';
import { HostNetwork } from './HostCharts';
import { HostLogs } from './HostLogs';
import { HostMark } from './HostMark';
import { HostOverview } from './HostOverview';
import { HostPlans } from './HostPlans';
import { HostProcesses } from './HostProcesses';
import { VacateDialog } from './VacateDialog';

const TABS: Record<string, { label: MessageKey; timed: boolean; compared: boolean }> = {
  overview: { label: 'container.tab.overview', timed: true, compared: true },
  containers: { label: 'nav.containers', timed: false, compared: false },
  processes: { label: 'processes', timed: true, compared: true },
  network: { label: 'container.network', timed: true, compared: true },
  logs: { label: 'container.tab.logs', timed: false, compared: false },
  plans: { label: 'host.tab.plans', timed: true, compared: false },
};

/** Its dialog, as the URL names it. */
const VACATE = 'vacate';

const DEFAULTS = { from: 'now-1h', to: 'now', refresh: 30 };

function HostContainers({ host }: { host: Allocator }) {
  const t = useT();
  const columns = useContainerColumns({ withoutHost: true });
  return (
    <Card flush>
      <ListTable
        label={t('nav.containers')}
        prefix="c."
        method={Containers.method.listContainers}
        input={(options) => ({ options })}
        fixed={`allocator_id=${host.id}`}
        rows={(answer) => answer.containers}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="memory desc"
        search={{ field: 'name', label: 'containers.search' }}
        every={5_000}
        empty={{ title: t('containers.empty'), hint: t('containers.empty.hint') }}
      />
    </Card>
  );
}

function TabPage({ tab, host, range }: { tab: string; host: Allocator; range: TimeRange }) {
  switch (tab) {
    case 'containers':
      return <HostContainers host={host} />;
    case 'processes':
      return <HostProcesses host={host.host} range={range} />;
    case 'network':
      return <HostNetwork host={host.host} range={range} />;
    case 'logs':
      return <HostLogs host={host.host} />;
    case 'plans':
      return <HostPlans host={host} range={range} />;
    default:
      return <HostOverview host={host} range={range} />;
  }
}

export default function Host() {
  const t = useT();
  const name = useParams().host ?? '';
  const rights = useRights();
  const queries = useQueryClient();
  const [params, setParams] = useSearchParams();
  const range = useTimeRange(DEFAULTS);
  const asked = params.get('tab') ?? '';
  const tab = Object.hasOwn(TABS, asked) ? asked : 'overview';
  const shown = TABS[tab];
  const input = { allocator: name };
  const query = useCall(Allocators.method.getAllocator, input, { every: 10_000 });
  const update = useChange(Allocators.method.updateAllocator, (host) => {
    queries.setQueryData(keyOf(Allocators.method.getAllocator, input), host);
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Allocators'] });
  });
  const whyNot = rights.administers ? undefined : t('why.admin');
  const host = query.data;
  const maintained = { allocator: host?.id ?? '', maintenance: !host?.maintenance };
  const whyNotVacate =
    whyNot ?? (host?.vacateId ? t('vacate.runs') : host?.instances === 0 ? t('vacate.nothing') : undefined);
  const {
    asked: dialog,
    open,
    close,
  } = useAsked(host !== undefined, (what) => what === VACATE && !whyNotVacate);
  const maintain = host?.maintenance ? t('host.maintenance.end') : t('host.maintenance.begin');
  // Another tab keeps the span of time and nothing else.
  const show = (next: string) =>
    setParams((old) => {
      const kept = new URLSearchParams(next === 'overview' ? {} : { tab: next });
      for (const one of ['from', 'to', 'refresh', 'compare']) {
        const value = old.get(one);
        if (value !== null) kept.set(one, value);
      }
      return kept;
    });
  return (
    <>
      <PageHead
        title={host?.host ?? name}
        trail={[{ to: '/hosts', label: t('nav.hosts') }]}
        status={host ? <HostMark host={host} /> : null}
        actions={
          host ? (
            <>
              {shown?.timed ? <TimeRangePicker defaults={DEFAULTS} noCompare={!shown.compared} /> : null}
              <ApiRequests
                calls={[
                  shownCall(t('placement.host.show'), { method: Allocators.method.getAllocator, input }),
                  shownCall(maintain, { method: Allocators.method.updateAllocator, input: maintained }),
                ]}
              />
              <ActionButton
                variant="secondary"
                whyNot={whyNot}
                isLoading={update.isPending}
                onClick={() => update.mutate({ ...maintained, mutation: mutation(host.version) })}
              >
                {maintain}
              </ActionButton>
              <ActionButton variant="secondary" whyNot={whyNotVacate} onClick={() => open(VACATE)}>
                {t('vacate.begin')}
              </ActionButton>
            </>
          ) : null
        }
      />
      {update.error ? <Refused error={update.error} /> : null}
      {host?.problems.map((problem) => (
        <Alert
          key={problem.code}
          isInline
          component="h2"
          variant="warning"
          title={<English>{`${problem.code}: ${problem.message}`}</English>}
        >
          <English>{problem.hint}</English>
        </Alert>
      ))}
      <Tabs activeKey={tab} aria-label={host?.host ?? name} onSelect={(_, key) => show(String(key))}>
        {Object.entries(TABS).map(([key, { label }]) => (
          <Tab key={key} eventKey={key} title={t(label)} tabContentId="host-tab" />
        ))}
      </Tabs>
      <section id="host-tab" role="tabpanel" aria-label={shown ? t(shown.label) : name} className="tab-page">
        <DataState query={query} lines={6}>
          {(data) => <TabPage tab={tab} host={data} range={range} />}
        </DataState>
      </section>
      {host && dialog === VACATE ? <VacateDialog host={host} onClose={() => void close()} /> : null}
    </>
  );
}
