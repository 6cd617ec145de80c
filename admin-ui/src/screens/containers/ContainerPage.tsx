// One container: how it is, what it used over time, its log as it is written, what happened to it.
import { Alert, Tab, Tabs } from '@patternfly/react-core';
import { useParams } from 'react-router';
import { useCall } from '../../api/call';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { LogTail } from '../../shared/logs/LogTail';
import { HostLink } from '../../shared/names/links';
import { PageHead } from '../../shared/PageHead';
import { Mark } from '../../shared/status/Mark';
import { ContainerMark } from '../../shared/status/marks';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { type TimeDefaults, useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { ContainerChanges } from './ContainerChanges';
import { ContainerCharts } from './ContainerCharts';
import { ContainerEnd, ContainerFacts } from './ContainerFacts';
import { LINES, ofContainer, wordsOf } from './queries';

const TABS = ['overview', 'logs', 'changes'] as const;
type TabName = (typeof TABS)[number];

/** Whether it is more than yesterday is what one comes for. */
const DEFAULTS: TimeDefaults = { from: 'now-1h', to: 'now', refresh: 30, compare: 'day' };

export default function ContainerPage() {
  const t = useT();
  const { host = '', container: name = '' } = useParams();
  const [params, setParams] = useSearchParams();
  const range = useTimeRange(DEFAULTS);
  const tab: TabName = TABS.find((one) => one === params.get('tab')) ?? 'overview';
  const input = { options: { pageSize: 1, filter: `host="${host}" and name="${name}"` } };
  const query = useCall(Containers.method.listContainers, input, { every: 5_000 });
  const container = query.data?.containers[0];
  const gone = query.data !== undefined && !container;
  const filter = ofContainer(host, name);
  const labels: Record<TabName, string> = {
    overview: t('container.tab.overview'),
    logs: t('container.tab.logs'),
    changes: t('container.tab.changes'),
  };
  // Another tab begins without what only the first one knows, and keeps the span.
  const show = (next: string) =>
    setParams((old) => {
      const kept = new URLSearchParams();
      for (const one of ['from', 'to', 'refresh', 'compare']) {
        const value = old.get(one);
        if (value !== null) kept.set(one, value);
      }
      if (next !== 'overview') kept.set('tab', next);
      return kept;
    });
  return (
    <>
      <PageHead
        title={name}
        trail={[{ to: '/containers', label: t('nav.containers') }]}
        status={
          container ? (
            container.outOfMemory ? (
              <Mark tone="bad" word={t('container.oom')} />
            ) : (
              <ContainerMark state={container.state} health={container.health} />
            )
          ) : gone ? (
            <Mark tone="off" word={t('container.gone')} />
          ) : null
        }
        note={<HostLink host={host} />}
        actions={
          <>
            <ApiRequest method={Containers.method.listContainers} input={input} />
            {tab === 'logs' ? null : <TimeRangePicker defaults={DEFAULTS} noCompare={tab !== 'overview'} />}
          </>
        }
      />
      <Tabs activeKey={tab} aria-label={name} onSelect={(_, key) => show(String(key))}>
        {TABS.map((one) => (
          <Tab key={one} eventKey={one} title={labels[one]} tabContentId="container-tab" />
        ))}
      </Tabs>
      <section id="container-tab" role="tabpanel" aria-label={labels[tab]} className="tab-page">
        {gone && tab === 'overview' ? (
          <Alert isInline component="h2" variant="info" title={t('container.gone.title', { host })}>
            {t('container.gone.about')}
          </Alert>
        ) : null}
        {tab === 'overview' ? (
          <>
            {gone ? null : (
              <DataState query={query} lines={5}>
                {() =>
                  container ? (
                    <>
                      <ContainerEnd container={container} range={range} />
                      <Card title={t('container.now')}>
                        <ContainerFacts container={container} range={range} />
                      </Card>
                    </>
                  ) : null
                }
              </DataState>
            )}
            <ContainerCharts filter={filter} range={range} container={container} />
          </>
        ) : null}
        {tab === 'logs' ? (
          <Card flush>
            <LogTail
              label={t('container.log', { name })}
              indices={LINES}
              filter={filter}
              query={wordsOf(host, name)}
              follow={params.get('follow') !== '0'}
              onFollow={(follow) =>
                setParams(
                  (old) => {
                    const next = new URLSearchParams(old);
                    if (follow) next.delete('follow');
                    else next.set('follow', '0');
                    return next;
                  },
                  { replace: true },
                )
              }
            />
          </Card>
        ) : null}
        {tab === 'changes' ? <ContainerChanges host={host} name={name} range={range} /> : null}
      </section>
    </>
  );
}
