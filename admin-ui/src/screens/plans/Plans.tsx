// What was done and is being done to deployments, newest first.
import { Plans as Service } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import { PageHead } from '../../shared/PageHead';
import { usePlanColumns } from './columns';

export default function Plans() {
  const t = useT();
  const columns = usePlanColumns({ withDeployment: true });
  return (
    <>
      <PageHead title={t('nav.plans')} />
      <Card flush>
        <ListTable
          label={t('plans.list')}
          method={Service.method.listPlans}
          input={(options) => ({ options })}
          rows={(answer) => answer.plans}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={columns}
          defaultSort="created desc"
          search={{ field: 'deployment', label: 'plans.search' }}
          choices={[
            {
              field: 'status',
              label: t('state'),
              values: [
                { value: 'pending', label: t('plan.pending') },
                { value: 'running', label: t('plan.running') },
                { value: 'done', label: t('plan.done') },
                { value: 'failed', label: t('plan.failed') },
                { value: 'cancelled', label: t('plan.cancelled') },
                { value: 'superseded', label: t('plan.superseded') },
              ],
            },
            {
              field: 'kind',
              label: t('plan.kind'),
              values: [
                { value: 'create', label: t('kind.create') },
                { value: 'resize', label: t('kind.resize') },
                { value: 'restart', label: t('kind.restart') },
                { value: 'move', label: t('kind.move') },
                { value: 'terminate', label: t('kind.terminate') },
                { value: 'restore', label: t('kind.restore') },
                { value: 'delete', label: t('kind.delete') },
                { value: 'extend', label: t('kind.extend') },
                { value: 'upgrade', label: t('kind.upgrade') },
                { value: 'reset_password', label: t('kind.resetPassword') },
                { value: 'pause', label: t('kind.pause') },
                { value: 'resume', label: t('kind.resume') },
              ],
            },
          ]}
          every={10_000}
          empty={{ title: t('plans.empty'), hint: t('plans.empty.hint') }}
        />
      </Card>
    </>
  );
}
