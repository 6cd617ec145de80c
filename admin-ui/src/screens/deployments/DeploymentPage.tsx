// One deployment: its instances, its address, its last error, what it used, its plans, and what can be
// done.
import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import { useCall } from '../../api/call';
import { monitoringBeside } from '../../api/serves';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { type Deployment, Deployments } from '../../generated/wharf/v1/deployments_pb';
import { Instances } from '../../generated/wharf/v1/instances_pb';
import { Plans } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Facts } from '../../shared/Facts';
import { ListTable } from '../../shared/list/ListTable';
import { PlanLink } from '../../shared/names/links';
import { HOST_LOSS, RESOURCES, useNameWord } from '../../shared/names/stable-names';
import { PageHead } from '../../shared/PageHead';
import { Clock } from '../../shared/When';
import { usePlanColumns } from '../plans/columns';
import { Actions } from './Actions';
import { Credentials } from './Credentials';
import { DeploymentCharts } from './DeploymentCharts';
import { DeploymentMark } from './DeploymentMark';
import './deployments.css';
import { InstanceCard } from './InstanceCard';
import { useInstanceColumns } from './instance-columns';
import { Trouble } from './Trouble';

/** Opened beside this page: whoever answers there asks for the deployment's own credentials. */
function Address({ url }: { url: string }) {
  return (
    <a className="mono" href={url} target="_blank" rel="noopener noreferrer">
      {url}
    </a>
  );
}

function About({ deployment }: { deployment: Deployment }) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const monitors = deployment.resources.some((one) => one.kind === 'monitoring');
  const monitoring = monitors ? monitoringBeside(deployment.endpoint, deployment.alias) : undefined;
  return (
    <Facts
      facts={[
        [
          t('deployment.endpoint'),
          deployment.endpoint ? <Address key="endpoint" url={deployment.endpoint} /> : '–',
        ],
        ...(monitoring
          ? ([[t('deployment.monitoring'), <Address key="monitoring" url={monitoring} />]] as [
              string,
              ReactNode,
            ][])
          : []),
        [t('deployment.alias'), deployment.alias],
        [t('deployment.template'), deployment.templateId],
        ...deployment.resources.map((resource): [string, string] => [
          t('deployment.resource', { kind: word(RESOURCES, resource.kind) }),
          t('deployment.resource.size', {
            memory: format.bytes(resource.size?.memoryBytes ?? 0n),
            disk: format.bytes(resource.size?.diskBytes ?? 0n),
            zones: resource.zoneCount,
          }),
        ]),
        [
          t('deployment.plan'),
          deployment.pendingPlanId ? (
            <PlanLink key="plan" id={deployment.pendingPlanId}>
              {t('plan.running')}
            </PlanLink>
          ) : (
            '–'
          ),
        ],
        [t('deployment.onHostLoss'), word(HOST_LOSS, deployment.onHostLoss) || '–'],
        [
          t('deployment.snapshots'),
          deployment.snapshots
            ? t('deployment.snapshots.to', { repository: deployment.snapshots.repository })
            : t('deployment.snapshots.none'),
        ],
        [t('created'), <Clock key="created" at={deployment.createdAt} />],
        [t('changed'), <Clock key="changed" at={deployment.changedAt} />],
        [
          t('id'),
          <span className="mono" key="id">
            {deployment.id}
          </span>,
        ],
      ]}
    />
  );
}

export default function DeploymentPage() {
  const t = useT();
  const format = useFormat();
  const { seesPlatform } = useRights();
  const name = useParams().deployment ?? '';
  const input = { deployment: name };
  const query = useCall(Deployments.method.getDeployment, input, { every: 10_000 });
  const instanceColumns = useInstanceColumns({ of: 'deployment' });
  const planColumns = usePlanColumns({ withDeployment: false });
  const deployment = query.data;
  return (
    <>
      <PageHead
        title={deployment?.name ?? name}
        trail={[{ to: '/deployments', label: t('nav.deployments') }]}
        status={deployment ? <DeploymentMark deployment={deployment} /> : null}
        note={deployment?.systemOwned ? t('deployment.system') : null}
        actions={
          <>
            <ApiRequest method={Deployments.method.getDeployment} input={input} />
            {deployment ? <Actions deployment={deployment} /> : null}
          </>
        }
      />
      {deployment ? <Trouble deployment={deployment} /> : null}
      <Card
        title={t('deployment.about')}
        actions={deployment ? <Credentials deployment={deployment} /> : null}
      >
        <DataState query={query} lines={4}>
          {(data) => <About deployment={data} />}
        </DataState>
      </Card>
      {deployment ? (
        <>
          <Card flush>
            <ListTable
              label={t('instances')}
              title={t('instances')}
              prefix="i."
              method={Instances.method.listInstances}
              input={(options) => ({ options: { ...options, orderBy: 'zone' }, deployment: deployment.id })}
              rows={(answer) => answer.instances}
              info={(answer) => answer.info}
              rowKey={(one) => one.instance?.id ?? ''}
              columns={instanceColumns.map(({ sort: _, ...column }) => column)}
              group={(one) => one.instance?.zone || t('deployment.noZone')}
              groupNote={(rows) =>
                t('instances.group', {
                  count: rows.length,
                  memory: format.bytes(
                    rows.reduce((sum, one) => sum + Number(one.instance?.memoryBytes ?? 0n), 0),
                  ),
                })
              }
              defaultSort="zone"
              every={10_000}
              empty={{ title: t('deployment.noInstances') }}
            />
          </Card>
          <InstanceCard deployment={deployment} />
          {seesPlatform ? <DeploymentCharts deployment={deployment} /> : null}
          <Card flush>
            <ListTable
              label={t('deployment.history')}
              title={t('deployment.history')}
              prefix="p."
              method={Plans.method.listPlans}
              input={(options) => ({ options, deployment: deployment.id })}
              rows={(answer) => answer.plans}
              info={(answer) => answer.info}
              rowKey={(one) => one.id}
              columns={planColumns}
              defaultSort="created desc"
              every={10_000}
              empty={{ title: t('plans.empty'), hint: t('plans.empty.hint') }}
            />
          </Card>
        </>
      ) : null}
    </>
  );
}
