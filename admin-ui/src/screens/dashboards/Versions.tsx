// What a dashboard was before: who changed it when, each version beside the one in force, and back to one of them.
import { Label } from '@patternfly/react-core';
import { Link, useParams } from 'react-router';
import { refusalOf } from '../../api/errors';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import {
  type Dashboard,
  type DashboardVersion,
  Dashboards as Service,
} from '../../generated/wharf/monitor/v1/dashboards_pb';
import { Origin } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { PageHead } from '../../shared/PageHead';
import { useSearchParams } from '../../shared/use-search-params';
import { Clock } from '../../shared/When';
import './dashboards.css';
import './versions.css';
import { Former } from './Former';
import { dashboardPath, dashboardsPath } from './NewDashboard';
import { SHIPPED_WORDS } from './names';

/** There is no such dashboard. */
const NOT_FOUND = 'MON0007';

function Marks({ one }: { one: DashboardVersion }) {
  const t = useT();
  return (
    <>
      {one.isPresent ? (
        <Label isCompact color="green">
          {t('dashboards.versions.present')}
        </Label>
      ) : null}
      {one.origin === Origin.SHIPPED ? (
        <Label isCompact color="blue">
          {t('dashboards.origin.shipped')}
        </Label>
      ) : null}
      {one.isDeleted ? (
        <Label isCompact color="red">
          {one.deletedBy
            ? t('dashboards.versions.deletedBy', { user: one.deletedBy })
            : t('dashboards.versions.deleted')}
        </Label>
      ) : null}
    </>
  );
}

interface OneProps {
  name: string;
  deployment: string;
  version: string;
  present: Dashboard | undefined;
  onConflict: () => void;
}

function One({ name, deployment, version, present, onConflict }: OneProps) {
  const former = useMonitorCall(Service.method.getDashboard, { name, version }, { deployment });
  return (
    <DataState query={former} lines={8}>
      {(data) => (
        <Former
          key={version}
          name={name}
          deployment={deployment}
          former={data}
          present={present}
          onConflict={onConflict}
        />
      )}
    </DataState>
  );
}

export default function Versions() {
  const t = useT();
  const { name = '' } = useParams();
  const deployment = useDeployment();
  const [params] = useSearchParams();
  const chosen = params.get('version') ?? '';
  const query = useMonitorCall(Service.method.getDashboard, { name }, { deployment });
  const isDeleted = query.error !== null && refusalOf(query.error).code === NOT_FOUND;
  const present = isDeleted ? undefined : query.data;
  const word = present?.origin === Origin.SHIPPED ? SHIPPED_WORDS[name] : undefined;
  const title = word ? t(word) : present?.title || name;

  const columns: Column<DashboardVersion>[] = [
    {
      id: 'changed',
      head: t('changed'),
      sort: 'changed',
      largest: true,
      cell: (one) => {
        const next = new URLSearchParams(params);
        next.set('version', one.version);
        const words = one.changedAt ? <Clock at={one.changedAt} /> : t('dashboards.versions.untold');
        if (one.isPresent) return words;
        return (
          <Link to={{ search: `?${next}` }} aria-current={one.version === chosen ? 'true' : undefined}>
            {words}
          </Link>
        );
      },
    },
    {
      id: 'by',
      head: t('dashboards.changedBy'),
      sort: 'changed_by',
      cell: (one) => one.changedBy || <span className="quiet">–</span>,
    },
    {
      id: 'title',
      head: t('dashboards.title'),
      sort: 'title',
      cell: (one) => (
        <span className="line" title={one.description}>
          {one.title || name}
          <Marks one={one} />
        </span>
      ),
    },
  ];
  return (
    <>
      <PageHead
        title={t('dashboards.versions.of', { title })}
        trail={[
          { to: dashboardsPath(deployment), label: t('nav.dashboards') },
          ...(isDeleted ? [] : [{ to: dashboardPath(name, deployment), label: title }]),
        ]}
        note={isDeleted ? t('dashboards.versions.deleted') : undefined}
        actions={
          <ApiRequest plain method={Service.method.getDashboard} input={{ name }} deployment={deployment} />
        }
      />
      <div className="versions">
        <Card flush>
          <ListTable
            label={t('dashboards.versions.of', { title })}
            method={Service.method.listDashboardVersions}
            deployment={deployment}
            input={(options) => ({ name, options })}
            rows={(answer) => answer.versions}
            info={(answer) => answer.info}
            rowKey={(one) => one.version}
            columns={columns}
            defaultSort="changed desc"
            search={{ field: 'title', label: 'dashboards.search' }}
            empty={{ title: t('dashboards.versions.none') }}
          />
        </Card>
        {chosen && (isDeleted || query.data) ? (
          <One
            name={name}
            deployment={deployment}
            version={chosen}
            present={present}
            onConflict={() => void query.refetch()}
          />
        ) : chosen ? (
          <Card>
            <DataState query={query} lines={8}>
              {() => null}
            </DataState>
          </Card>
        ) : (
          <Card>
            <Empty title={t('dashboards.versions.choose')}>{t('dashboards.versions.about')}</Empty>
          </Card>
        )}
      </div>
    </>
  );
}
