// A watch that is there: how its runs go, and its editor.
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import { type Watch, Watches } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { DataState } from '../../shared/DataState';
import { PageHead } from '../../shared/PageHead';
import { Age } from '../../shared/When';
import { OutcomeMark } from './marks';
import { alertsPath } from './paths';
import { WatchEditor } from './WatchEditor';

export default function EditWatch() {
  const t = useT();
  const deployment = useDeployment();
  const name = useParams().watch ?? '';
  // Fetched once: what somebody else writes meanwhile must not take away what is being written here.
  const [edition, setEdition] = useState(0);
  const query = useMonitorCall(Watches.method.getWatch, { name }, { deployment });
  const [base, setBase] = useState<Watch | null>(null);
  if (query.data && (base === null || base.name !== name) && !query.isFetching) setBase(query.data);
  const watch = base;
  return (
    <>
      <PageHead
        title={name}
        trail={[{ to: alertsPath(deployment, { tab: 'watches' }), label: t('alerts.watches') }]}
        status={query.data ? <OutcomeMark outcome={query.data.lastOutcome} /> : null}
        note={
          query.data?.lastRunAt ? (
            <>
              {t('alerts.lastRun')} <Age at={query.data.lastRunAt} />
            </>
          ) : null
        }
        actions={
          <>
            <Link to={alertsPath(deployment, { 'f.watch': name, recovered: '1' })}>{t('alerts.of')}</Link>
            <Link to={alertsPath(deployment, { tab: 'history', q: name })}>{t('alerts.history.of')}</Link>
          </>
        }
      />
      {watch?.broken ? (
        <p className="card card-body bad-text" lang="en">
          {watch.broken}
        </p>
      ) : null}
      {query.data?.lastError && !watch?.broken ? (
        <p className="card card-body bad-text">{query.data.lastError}</p>
      ) : null}
      <DataState query={query} lines={10}>
        {() =>
          watch ? (
            <WatchEditor
              key={`${watch.name} ${edition}`}
              watch={watch}
              deployment={deployment}
              onReload={() => {
                void query.refetch().then(({ data }) => {
                  if (!data) return;
                  setBase(data);
                  setEdition((old) => old + 1);
                });
              }}
            />
          ) : null
        }
      </DataState>
    </>
  );
}
