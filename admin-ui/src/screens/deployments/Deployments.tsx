// Deployments, and the way to make one.
import { Link, useNavigate } from 'react-router';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { type Deployment, Deployments as Service } from '../../generated/wharf/v1/deployments_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { PlanLink } from '../../shared/names/links';
import { PageHead } from '../../shared/PageHead';
import { Age } from '../../shared/When';
import { DeploymentMark } from './DeploymentMark';

function memoryOf(one: Deployment): number {
  return one.resources
    .flatMap((resource) => resource.instances)
    .reduce((sum, instance) => sum + Number(instance.memoryBytes), 0);
}

/** What is to be said of it first. */
function remark(one: Deployment): string {
  const failing = one.resources
    .flatMap((resource) => resource.instances)
    .find((instance) => instance.reason !== '');
  return one.problems[0] ?? failing?.reason ?? '';
}

export default function Deployments() {
  const t = useT();
  const format = useFormat();
  const rights = useRights();
  const navigate = useNavigate();
  const columns: Column<Deployment>[] = [
    {
      id: 'name',
      head: t('name'),
      sort: 'name',
      cell: (one) => (
        <>
          <Link to={`/deployments/${one.id}`}>{one.name}</Link>
          {one.systemOwned ? <span className="quiet"> · {t('deployment.system')}</span> : null}
        </>
      ),
    },
    {
      id: 'health',
      head: t('state'),
      sort: 'health',
      cell: (one) => <DeploymentMark deployment={one} />,
    },
    {
      id: 'plan',
      head: t('deployment.plan'),
      cell: (one) =>
        one.pendingPlanId ? (
          <PlanLink id={one.pendingPlanId}>{t('plan.running')}</PlanLink>
        ) : (
          <span className="quiet">–</span>
        ),
    },
    {
      id: 'instances',
      head: t('instances'),
      right: true,
      cell: (one) => format.number(one.resources.flatMap((resource) => resource.instances).length),
    },
    { id: 'memory', head: t('memory'), right: true, cell: (one) => format.bytes(memoryOf(one)) },
    {
      id: 'endpoint',
      head: t('deployment.endpoint'),
      cell: (one) => <span className="mono">{one.endpoint}</span>,
    },
    {
      id: 'remark',
      head: t('deployment.remark'),
      cell: (one) => <span title={remark(one)}>{remark(one)}</span>,
    },
    { id: 'age', head: t('age'), sort: 'created', right: true, cell: (one) => <Age at={one.createdAt} /> },
  ];
  return (
    <>
      <PageHead
        title={t('nav.deployments')}
        actions={
          <ActionButton
            whyNot={rights.manages ? undefined : t('why.manager')}
            onClick={() => void navigate('/deployments/create')}
          >
            {t('create.title')}
          </ActionButton>
        }
      />
      <Card flush>
        <ListTable
          label={t('deployments.list')}
          method={Service.method.listDeployments}
          input={(options) => ({ options })}
          rows={(answer) => answer.deployments}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={columns}
          defaultSort="name"
          search={{ field: 'name', label: 'deployments.search' }}
          choices={[
            {
              field: 'health',
              label: t('state'),
              values: [
                { value: 'healthy', label: t('health.healthy') },
                { value: 'degraded', label: t('health.degraded') },
                { value: 'unhealthy', label: t('health.unhealthy') },
                { value: 'unknown', label: t('health.unknown') },
              ],
            },
          ]}
          every={15_000}
          empty={{ title: t('deployments.empty'), hint: t('deployments.empty.hint') }}
        />
      </Card>
    </>
  );
}
