// One plan: its steps live, what it wants to be different, cancel it, make it again.
import { Button, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from 'react-router';
import { keyOf, mutation, useCall, useChange, useDryRun } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { type Plan, Plans } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { English } from '../../shared/English';
import { Facts } from '../../shared/Facts';
import { DeploymentLink, HostLinks, PlanLink } from '../../shared/names/links';
import { Actor } from '../../shared/names/Subject';
import { PageHead } from '../../shared/PageHead';
import { Changes } from '../../shared/plan/Changes';
import { PlanLog } from '../../shared/plan/PlanLog';
import { Preview } from '../../shared/plan/Preview';
import { Steps } from '../../shared/plan/Steps';
import { KINDS, PlanMark, planGoesOn } from '../../shared/status/marks';
import { useAsked } from '../../shared/use-asked';
import { useSearchParams } from '../../shared/use-search-params';
import { Clock, Lasted } from '../../shared/When';

/** What it wants to be different from its parent, or from another plan of the deployment. */
function Difference({ plan }: { plan: Plan }) {
  const t = useT();
  const format = useFormat();
  const [params, setParams] = useSearchParams();
  const against = params.get('against') ?? '';
  const others = useCall(Plans.method.listPlans, {
    deployment: plan.deploymentId,
    options: { pageSize: 20, orderBy: 'created desc' },
  });
  const diff = useCall(
    Plans.method.diffPlans,
    { fromPlanId: against, toPlanId: plan.id },
    { enabled: against !== '' },
  );
  return (
    <Card
      flush
      title={t('plan.changes')}
      actions={
        <FormSelect
          aria-label={t('plan.against')}
          value={against}
          onChange={(_, value) => setParams(value ? { against: value } : {}, { replace: true })}
        >
          <FormSelectOption value="" label={t('plan.against.parent')} />
          {others.data?.plans
            .filter((one) => one.id !== plan.id)
            .map((one) => (
              <FormSelectOption
                key={one.id}
                value={one.id}
                label={`${t(KINDS[one.kind])} ${one.createdAt ? format.clock(one.createdAt) : one.id.slice(0, 8)}`}
              />
            ))}
        </FormSelect>
      }
    >
      {against === '' ? (
        <Changes changes={plan.changes} />
      ) : (
        <DataState query={diff} lines={2}>
          {(data) => <Changes changes={data.changes} />}
        </DataState>
      )}
    </Card>
  );
}

function Reapply({ plan, onClose }: { plan: Plan; onClose: () => Promise<void> }) {
  const t = useT();
  const navigate = useNavigate();
  const preview = useDryRun(Plans.method.reapplyPlan, { planId: plan.id }, true);
  const reapply = useChange(Plans.method.reapplyPlan, (answer) => {
    void onClose().then(() => navigate(`/plans/${answer.planId}`));
  });
  return (
    <Confirm
      title={t('plan.reapply.title')}
      action={t('plan.reapply')}
      busy={reapply.isPending}
      error={reapply.error}
      extra={<ApiRequest plain method={Plans.method.reapplyPlan} input={{ planId: plan.id }} />}
      onConfirm={() => reapply.mutate({ planId: plan.id, mutation: mutation() })}
      onClose={onClose}
    >
      <div className="stack">
        <p>{t('plan.reapply.about')}</p>
        <DataState query={preview} lines={3}>
          {(answer) => (answer.preview ? <Preview preview={answer.preview} /> : null)}
        </DataState>
      </div>
    </Confirm>
  );
}

function Cancel({ plan, onClose }: { plan: Plan; onClose: () => Promise<void> }) {
  const t = useT();
  const queries = useQueryClient();
  const cancel = useChange(Plans.method.cancelPlan, (answer) => {
    queries.setQueryData(keyOf(Plans.method.getPlan, { planId: plan.id }), answer);
    void onClose();
  });
  return (
    <Confirm
      title={t('plan.cancel.title')}
      action={t('plan.cancel')}
      danger
      busy={cancel.isPending}
      error={cancel.error}
      extra={<ApiRequest method={Plans.method.cancelPlan} input={{ planId: plan.id }} />}
      onConfirm={() => cancel.mutate({ planId: plan.id, mutation: mutation() })}
      onClose={onClose}
    >
      {t('plan.cancel.about')}
    </Confirm>
  );
}

export default function PlanPage() {
  const t = useT();
  const rights = useRights();
  const id = useParams().plan ?? '';
  const input = { planId: id };
  const query = useCall(Plans.method.getPlan, input, { every: 5_000 });
  const plan = query.data;
  const goesOn = plan ? planGoesOn(plan.status) : false;
  const whyNot = rights.manages ? undefined : t('why.manager');
  const { asked, open, close } = useAsked(plan !== undefined, (what) => {
    if (whyNot) return false;
    return what === 'cancel' ? goesOn && !plan?.cancelling : what === 'reapply' && !goesOn;
  });
  return (
    <>
      <PageHead
        title={
          plan ? t('plan.title', { kind: t(KINDS[plan.kind]), deployment: plan.deploymentName }) : t('plan')
        }
        trail={[{ to: '/plans', label: t('nav.plans') }]}
        status={plan ? <PlanMark status={plan.status} /> : null}
        note={
          plan ? (
            <>
              <Lasted from={plan.createdAt} to={plan.endedAt} />
              {plan.cancelling ? ` · ${t('plan.cancelling')}` : null}
            </>
          ) : null
        }
        actions={
          plan ? (
            <>
              <ApiRequest method={Plans.method.getPlan} input={input} />
              {goesOn ? (
                <ActionButton
                  variant="danger"
                  whyNot={whyNot ?? (plan.cancelling ? t('plan.cancelling') : undefined)}
                  onClick={() => open('cancel')}
                >
                  {t('plan.cancel')}
                </ActionButton>
              ) : (
                <ActionButton variant="secondary" whyNot={whyNot} onClick={() => open('reapply')}>
                  {t('plan.reapply')}
                </ActionButton>
              )}
            </>
          ) : null
        }
      />
      <DataState query={query} lines={8}>
        {(data) => (
          <>
            <Card title={t('plan.about')}>
              <Facts
                facts={[
                  [
                    t('deployment'),
                    <DeploymentLink key="deployment" id={data.deploymentId} name={data.deploymentName} />,
                  ],
                  [t('plan.actor'), data.actor ? <Actor key="actor" actor={data.actor} /> : '–'],
                  [t('plan.begun'), <Clock key="begun" at={data.createdAt} />],
                  [t('plan.ended'), <Clock key="ended" at={data.endedAt} />],
                  [t('nav.hosts'), <HostLinks key="hosts" hosts={data.hosts} />],
                  [t('plan.parent'), <PlanLink key="parent" id={data.parentId} />],
                  [
                    t('id'),
                    <span className="mono" key="id">
                      {data.id}
                    </span>,
                  ],
                ]}
              />
              {data.reason ? (
                <p className={data.errorCode ? 'bad-text reason' : 'reason'}>
                  {data.errorCode ? <code>{data.errorCode} </code> : null}
                  <English>{data.reason}</English>
                </p>
              ) : null}
            </Card>
            <div className="columns">
              <div className="two-thirds stack">
                <Card
                  flush
                  title={t('plan.steps')}
                  actions={
                    <Button
                      variant="link"
                      size="sm"
                      onClick={() => void navigator.clipboard.writeText(window.location.href)}
                    >
                      {t('copyLink')}
                    </Button>
                  }
                >
                  {data.steps.length === 0 ? (
                    <Empty title={t('plan.noSteps')} />
                  ) : (
                    <Steps steps={data.steps} />
                  )}
                </Card>
                {data.steps.length > 0 ? (
                  <Card flush title={t('plan.log.all')}>
                    <PlanLog steps={data.steps} />
                  </Card>
                ) : null}
              </div>
              <div className="third">
                <Difference plan={data} />
              </div>
            </div>
            {!goesOn ? (
              <Link to={`/deployments/${data.deploymentId}`}>
                {t('plan.toDeployment', { name: data.deploymentName })}
              </Link>
            ) : null}
            {asked === 'cancel' ? <Cancel plan={data} onClose={close} /> : null}
            {asked === 'reapply' ? <Reapply plan={data} onClose={close} /> : null}
          </>
        )}
      </DataState>
    </>
  );
}
