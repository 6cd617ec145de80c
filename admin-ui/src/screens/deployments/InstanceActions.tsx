// What can be done with one instance: move, pause, resume, take it out of routing. What a plan does is
// foretold by the director.
import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import { FormGroup } from '@patternfly/react-core';
import { type UseQueryResult, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { mutation, useChange, useDryRun } from '../../api/call';
import { useRights } from '../../api/session';
import type {
  ChangeDeploymentResponse,
  ChangeDeploymentResponseSchema,
  Deployment,
} from '../../generated/wharf/v1/deployments_pb';
import { Instances, type PlacedInstance } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { Loading } from '../../shared/DataState';
import { type ChosenHost, HostInput } from '../../shared/names/HostInput';
import { Preview } from '../../shared/plan/Preview';
import { Refused } from '../../shared/Refused';

interface DialogProps {
  placed: PlacedInstance;
  onClose: () => void;
}

/** What the plan would do, or why the director would refuse it. */
function Foretold({ query }: { query: UseQueryResult<ChangeDeploymentResponse> }) {
  const t = useT();
  if (query.error) return <Refused error={query.error} title={t('create.refused')} />;
  if (!query.data || query.isPlaceholderData) return <Loading lines={3} />;
  return query.data.preview ? <Preview preview={query.data.preview} /> : null;
}

/** Nothing is confirmed before it was told what exactly this does. */
function useWhyNot({ error, data, isPlaceholderData }: UseQueryResult<ChangeDeploymentResponse>) {
  const t = useT();
  if (error) return t('instance.refused');
  return data && !isPlaceholderData ? undefined : t('instance.untold');
}

/** To the plan that does it. */
function useOrdered(onClose: () => void) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  return ({ planId }: { planId: string }) => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Instances'] });
    onClose();
    if (planId) void navigate(`/plans/${planId}`);
  };
}

function MoveDialog({ placed, onClose }: DialogProps) {
  const t = useT();
  const [to, setTo] = useState<ChosenHost | null>(null);
  const [carried] = useState(mutation);
  const name = placed.instance?.name ?? '';
  const wish = { instance: placed.instance?.id ?? '', toAllocator: to?.id ?? '' };
  const preview = useDryRun(Instances.method.moveInstance, wish, true);
  const whyNot = useWhyNot(preview);
  const move = useChange(Instances.method.moveInstance, useOrdered(onClose));
  return (
    <Confirm
      title={t('instance.move.title', { name })}
      action={t('instance.move')}
      whyNot={whyNot}
      busy={move.isPending}
      error={move.error}
      extra={<ApiRequest plain method={Instances.method.moveInstance} input={wish} />}
      onConfirm={() => move.mutate({ ...wish, mutation: move.error ? mutation() : carried })}
      onClose={onClose}
    >
      <div className="stack">
        <p>{t('instance.move.about')}</p>
        <FormGroup label={t('instance.move.to')} fieldId="move-to">
          <HostInput
            id="move-to"
            chosen={to}
            none={t('instance.move.anywhere')}
            without={placed.instance?.allocatorId ?? ''}
            onChange={setTo}
          />
        </FormGroup>
        <Foretold query={preview} />
      </div>
    </Confirm>
  );
}

interface PauseProps<I extends DescMessage> extends DialogProps {
  method: DescMethodUnary<I, typeof ChangeDeploymentResponseSchema>;
  wish: MessageInitShape<I>;
}

/** Pauses or resumes, whichever the method does. */
function PauseDialog<I extends DescMessage>({ placed, method, wish, onClose }: PauseProps<I>) {
  const t = useT();
  const [carried] = useState(mutation);
  const name = placed.instance?.name ?? '';
  const preview = useDryRun(method, wish, true);
  const whyNot = useWhyNot(preview);
  const change = useChange(method, useOrdered(onClose));
  return (
    <Confirm
      title={placed.paused ? t('instance.resume.title', { name }) : t('instance.pause.title', { name })}
      action={placed.paused ? t('instance.resume') : t('instance.pause')}
      danger={!placed.paused}
      whyNot={whyNot}
      busy={change.isPending}
      error={change.error}
      extra={<ApiRequest plain method={method} input={wish} />}
      onConfirm={() =>
        change.mutate({ ...wish, mutation: change.error ? mutation() : carried } as MessageInitShape<I>)
      }
      onClose={onClose}
    >
      <div className="stack">
        <p>{placed.paused ? t('instance.resume.about') : t('instance.pause.about')}</p>
        <Foretold query={preview} />
      </div>
    </Confirm>
  );
}

function RoutingDialog({ placed, onClose }: DialogProps) {
  const t = useT();
  const queries = useQueryClient();
  const name = placed.instance?.name ?? '';
  const method = Instances.method.setInstanceRouting;
  const wish = { instance: placed.instance?.id ?? '', routed: placed.routingStopped };
  const change = useChange(method, () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Instances'] });
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    onClose();
  });
  return (
    <Confirm
      title={
        placed.routingStopped ? t('instance.route.title', { name }) : t('instance.unroute.title', { name })
      }
      action={placed.routingStopped ? t('instance.route') : t('instance.unroute')}
      danger={!placed.routingStopped}
      busy={change.isPending}
      error={change.error}
      extra={<ApiRequest plain method={method} input={wish} />}
      onConfirm={() => change.mutate({ ...wish, mutation: mutation() })}
      onClose={onClose}
    >
      {placed.routingStopped ? t('instance.route.about') : t('instance.unroute.about')}
    </Confirm>
  );
}

type Action = 'move' | 'pause' | 'routing';

export function InstanceActions({ placed, deployment }: { placed: PlacedInstance; deployment: Deployment }) {
  const t = useT();
  const rights = useRights();
  const [action, setAction] = useState<Action | null>(null);
  const [asked, setAsked] = useState<PlacedInstance | null>(null);
  const settled = deployment.deleting
    ? t('why.deleting')
    : deployment.terminated
      ? t('why.terminated')
      : undefined;
  const quiet = settled ?? (deployment.pendingPlanId || placed.planId ? t('why.plan') : undefined);
  const manager = rights.manages ? undefined : t('why.manager');
  const nowhere = placed.instance?.allocatorId ? undefined : t('why.nowhere');
  const whyNotMove =
    (rights.administers ? undefined : t('why.admin')) ??
    quiet ??
    (placed.paused ? t('why.paused') : undefined) ??
    nowhere;
  const ask = (what: Action) => {
    // As it was when it was asked: what is being looked at does not turn into its contrary.
    setAsked(placed);
    setAction(what);
  };
  const wish = { instance: placed.instance?.id ?? '' };
  const dialog = asked ? { placed: asked, onClose: () => setAction(null) } : null;
  return (
    <>
      <ActionButton variant="secondary" size="sm" whyNot={whyNotMove} onClick={() => ask('move')}>
        {t('instance.move')}
      </ActionButton>
      <ActionButton
        variant="secondary"
        size="sm"
        whyNot={manager ?? quiet ?? nowhere}
        onClick={() => ask('pause')}
      >
        {placed.paused ? t('instance.resume') : t('instance.pause')}
      </ActionButton>
      <ActionButton variant="secondary" size="sm" whyNot={manager ?? settled} onClick={() => ask('routing')}>
        {placed.routingStopped ? t('instance.route') : t('instance.unroute')}
      </ActionButton>
      {action === 'move' && dialog ? <MoveDialog {...dialog} /> : null}
      {action === 'pause' && dialog && !dialog.placed.paused ? (
        <PauseDialog {...dialog} method={Instances.method.pauseInstance} wish={wish} />
      ) : null}
      {action === 'pause' && dialog?.placed.paused ? (
        <PauseDialog {...dialog} method={Instances.method.resumeInstance} wish={wish} />
      ) : null}
      {action === 'routing' && dialog ? <RoutingDialog {...dialog} /> : null}
    </>
  );
}
