// Every dashboard of a deployment: those that are shipped and those that people made.
import { Button, Label } from '@patternfly/react-core';
import { useState } from 'react';
import { Link } from 'react-router';
import { useDeployment } from '../../api/monitor';
import { useRights } from '../../api/session';
import { type Dashboard, Dashboards as Service } from '../../generated/wharf/monitor/v1/dashboards_pb';
import { Origin } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { Card } from '../../shared/Card';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { PageHead } from '../../shared/PageHead';
import { useSearchParams } from '../../shared/use-search-params';
import { Age } from '../../shared/When';
import './dashboards.css';
import { Deleted } from './Deleted';
import { dashboardPath, dashboardsPath, NewDashboard } from './NewDashboard';
import { SHIPPED_WORDS } from './names';

export default function Dashboards() {
  const [params] = useSearchParams();
  return params.get('show') === 'deleted' ? <Deleted /> : <List />;
}

function List() {
  const t = useT();
  const rights = useRights();
  const deployment = useDeployment();
  const [making, setMaking] = useState<'new' | 'file'>();
  const why = rights.manages ? undefined : t('why.manager');
  const columns: Column<Dashboard>[] = [
    {
      id: 'title',
      head: t('dashboards.title'),
      sort: 'title',
      cell: (one) => {
        const word = one.origin === Origin.SHIPPED ? SHIPPED_WORDS[one.name] : undefined;
        return <Link to={dashboardPath(one.name, deployment)}>{word ? t(word) : one.title || one.name}</Link>;
      },
    },
    {
      id: 'name',
      head: t('dashboards.name'),
      sort: 'name',
      cell: (one) => <span className="mono">{one.name}</span>,
    },
    {
      id: 'origin',
      head: t('dashboards.origin'),
      sort: 'origin',
      cell: (one) =>
        one.origin === Origin.SHIPPED ? (
          <Label isCompact color="blue">
            {t('dashboards.origin.shipped')}
          </Label>
        ) : (
          t('dashboards.origin.own')
        ),
    },
    {
      id: 'description',
      head: t('dashboards.description'),
      cell: (one) => <span title={one.description}>{one.description}</span>,
    },
    {
      id: 'by',
      head: t('dashboards.changedBy'),
      sort: 'changed_by',
      cell: (one) => one.changedBy || <span className="quiet">–</span>,
    },
    {
      id: 'changed',
      head: t('changed'),
      sort: 'changed',
      right: true,
      cell: (one) => <Age at={one.changedAt} />,
    },
  ];
  return (
    <>
      <PageHead
        title={t('nav.dashboards')}
        actions={
          <>
            <DeploymentChoice />
            <ActionButton variant="secondary" whyNot={why} onClick={() => setMaking('file')}>
              {t('dashboards.import')}
            </ActionButton>
            <ActionButton variant="primary" whyNot={why} onClick={() => setMaking('new')}>
              {t('dashboards.new')}
            </ActionButton>
          </>
        }
      />
      <Card flush>
        <ListTable
          label={t('dashboards.list')}
          method={Service.method.listDashboards}
          deployment={deployment}
          input={(options) => ({ options })}
          rows={(answer) => answer.dashboards}
          info={(answer) => answer.info}
          rowKey={(one) => one.name}
          columns={columns}
          defaultSort="title"
          search={{ field: 'title', label: 'dashboards.search' }}
          choices={[
            {
              field: 'origin',
              label: t('dashboards.origin'),
              values: [
                { value: 'shipped', label: t('dashboards.origin.shipped') },
                { value: 'own', label: t('dashboards.origin.own') },
              ],
            },
          ]}
          tools={<Link to={dashboardsPath(deployment, { show: 'deleted' })}>{t('dashboards.deleted')}</Link>}
          empty={{
            title: t('dashboards.none'),
            hint: rights.manages ? (
              <Button variant="link" isInline onClick={() => setMaking('new')}>
                {t('dashboards.new')}
              </Button>
            ) : null,
          }}
        />
      </Card>
      {making ? (
        <NewDashboard deployment={deployment} file={making === 'file'} onClose={() => setMaking(undefined)} />
      ) : null}
    </>
  );
}
