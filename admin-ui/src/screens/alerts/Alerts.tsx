// What fires and who handles it; the watches that tell of it; their runs; where messages go.
import { Tab, Tabs } from '@patternfly/react-core';
import { useState } from 'react';
import { Link } from 'react-router';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import { useRights } from '../../api/session';
import { Alerts as Service } from '../../generated/wharf/monitor/v1/alerts_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { PageHead } from '../../shared/PageHead';
import { Mark } from '../../shared/status/Mark';
import { panelId, TabPanel } from '../../shared/TabPanel';
import { useSearchParams } from '../../shared/use-search-params';
import { AlertFlyout } from './AlertFlyout';
import { AlertList } from './AlertList';
import './alerts.css';
import type { WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { Channels } from './Channels';
import { History } from './History';
import { newWatchPath } from './paths';
import { RunFlyout } from './RunFlyout';
import { WatchList } from './WatchList';

function Firing({ deployment }: { deployment: string }) {
  const t = useT();
  const firing = useMonitorCall(
    Service.method.listAlerts,
    { options: { pageSize: 1, filter: 'state=firing' } },
    { deployment, every: 10_000 },
  );
  if (!firing.data) return null;
  const count = Number(firing.data.info?.total ?? 0n);
  return <Mark tone={count > 0 ? 'bad' : 'good'} word={t('alerts.firing', { count })} />;
}

export default function Alerts() {
  const t = useT();
  const rights = useRights();
  const deployment = useDeployment();
  const [params, setParams] = useSearchParams();
  const [run, setRun] = useState<WatchRun | null>(null);
  const alert = params.get('alert');
  const show = (id: string | null) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (id) next.set('alert', id);
        else next.delete('alert');
        // The span of one alert is not that of another.
        for (const name of ['from', 'to', ...(id ? [] : ['compare'])]) next.delete(name);
        return next;
      },
      { replace: id === null },
    );
  const tabs = [
    {
      key: 'firing',
      label: t('alerts.tab.firing'),
      page: <AlertList deployment={deployment} onOpen={show} />,
    },
    {
      key: 'watches',
      label: t('alerts.tab.watches'),
      page: <WatchList deployment={deployment} onRun={setRun} />,
    },
    {
      key: 'history',
      label: t('alerts.tab.history'),
      page: <History deployment={deployment} onOpen={setRun} />,
    },
    // Channels are the platform's.
    ...(rights.seesPlatform
      ? [{ key: 'channels', label: t('alerts.tab.channels'), page: <Channels /> }]
      : []),
  ];
  const shown = tabs.find((tab) => tab.key === params.get('tab')) ?? tabs[0];
  if (!shown) return null;
  return (
    <>
      <PageHead
        title={t('nav.alerts')}
        status={<Firing deployment={deployment} />}
        actions={
          <>
            <DeploymentChoice />
            {rights.manages ? (
              <Link className="pf-v6-c-button pf-m-primary" to={newWatchPath(deployment)}>
                {t('alerts.watch.create')}
              </Link>
            ) : (
              <ActionButton whyNot={t('why.manager')}>{t('alerts.watch.create')}</ActionButton>
            )}
          </>
        }
      />
      <Tabs
        activeKey={shown.key}
        aria-label={t('nav.alerts')}
        onSelect={(_, key) => {
          const of = params.get('in');
          setParams({ ...(key === 'firing' ? {} : { tab: String(key) }), ...(of ? { in: of } : {}) });
        }}
      >
        {tabs.map((tab) => (
          <Tab key={tab.key} eventKey={tab.key} title={tab.label} tabContentId={panelId(tab.key)} />
        ))}
      </Tabs>
      <TabPanel of={shown} key={shown.key}>
        {shown.page}
      </TabPanel>
      {alert ? (
        <AlertFlyout key={alert} id={alert} deployment={deployment} onClose={() => show(null)} />
      ) : run ? (
        <RunFlyout run={run} deployment={deployment} onClose={() => setRun(null)} />
      ) : null}
    </>
  );
}
