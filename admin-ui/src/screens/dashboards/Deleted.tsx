// Dashboards that were deleted, as long as they can be brought back.
import { Link } from 'react-router';
import { useDeployment } from '../../api/monitor';
import { type Dashboard, Dashboards as Service } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { PageHead } from '../../shared/PageHead';
import { Age } from '../../shared/When';
import './dashboards.css';
import { dashboardsPath, versionsPath } from './NewDashboard';

export function Deleted() {
  const t = useT();
  const deployment = useDeployment();
  const columns: Column<Dashboard>[] = [
    {
      id: 'title',
      head: t('dashboards.title'),
      sort: 'title',
      cell: (one) => (
        <Link to={versionsPath(one.name, deployment, one.version)}>{one.title || one.name}</Link>
      ),
    },
    {
      id: 'name',
      head: t('dashboards.name'),
      sort: 'name',
      cell: (one) => <span className="mono">{one.name}</span>,
    },
    {
      id: 'by',
      head: t('dashboards.deletedBy'),
      cell: (one) => one.deletedBy || <span className="quiet">–</span>,
    },
    {
      id: 'deleted',
      head: t('dashboards.deletedAt'),
      sort: 'deleted',
      largest: true,
      right: true,
      cell: (one) => <Age at={one.deletedAt} />,
    },
  ];
  return (
    <>
      <PageHead
        title={t('dashboards.deleted')}
        trail={[{ to: dashboardsPath(deployment), label: t('nav.dashboards') }]}
        note={t('dashboards.deleted.about')}
        actions={<DeploymentChoice />}
      />
      <Card flush>
        <ListTable
          label={t('dashboards.deleted')}
          method={Service.method.listDashboards}
          deployment={deployment}
          input={(options) => ({ options, deleted: true })}
          rows={(answer) => answer.dashboards}
          info={(answer) => answer.info}
          rowKey={(one) => one.name}
          columns={columns}
          defaultSort="deleted desc"
          search={{ field: 'title', label: 'dashboards.search' }}
          empty={{ title: t('dashboards.deleted.none') }}
        />
      </Card>
    </>
  );
}
