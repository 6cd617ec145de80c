// What can be done with a deployment: each is a plan, shown before it is ordered where it moves or
// stops anything, and followed on its page afterwards.
import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import { Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { mutation, useChange, useDryRun } from '../../api/call';
import { useRights } from '../../api/session';
import { type Deployment, Deployments } from '../../generated/wharf/v1/deployments_pb';
import type { PlanPreview } from '../../generated/wharf/v1/plans_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { DataState } from '../../shared/DataState';
import { Preview } from '../../shared/plan/Preview';
import { useAsked } from '../../shared/use-asked';
import { ResizeDialog } from './ResizeDialog';
import { SnapshotsDialog } from './SnapshotsDialog';

type Action = 'resize' | 'restart' | 'terminate' | 'restore' | 'delete' | 'resetPassword' | 'snapshots';

const WORDS: Record<
  Exclude<Action, 'resize' | 'snapshots'>,
  { title: MessageKey; about: MessageKey; go: MessageKey }
> = {
  restart: { title: 'restart.title', about: 'restart.about', go: 'restart.go' },
  terminate: { title: 'terminate.title', about: 'terminate.about', go: 'terminate.go' },
  restore: { title: 'restore.title', about: 'restore.about', go: 'restore.go' },
  delete: { title: 'delete.title', about: 'delete.about', go: 'delete.go' },
  resetPassword: { title: 'resetPassword.title', about: 'resetPassword.about', go: 'resetPassword.go' },
};

interface DialogProps<I extends DescMessage, O extends DescMessage> {
  action: Exclude<Action, 'resize' | 'snapshots'>;
  deployment: Deployment;
  method: DescMethodUnary<I, O>;
  wish: MessageInitShape<I>;
  /** Whether the director can say beforehand what would be done. */
  foretold: boolean;
  typed: boolean;
  danger: boolean;
  onClose: () => Promise<void>;
}

function ActionDialog<I extends DescMessage, O extends DescMessage>(props: DialogProps<I, O>) {
  const t = useT();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const words = WORDS[props.action];
  const [carried] = useState(mutation);
  const { wish } = props;
  const preview = useDryRun(props.method, wish, props.foretold);
  const change = useChange(props.method, (answer) => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Deployments'] });
    const on = 'planId' in answer ? `/plans/${String(answer.planId)}` : null;
    void props.onClose().then(() => on && navigate(on));
  });
  return (
    <Confirm
      title={t(words.title, { name: props.deployment.name })}
      action={t(words.go)}
      danger={props.danger}
      {...(props.typed ? { name: props.deployment.name } : {})}
      busy={change.isPending}
      error={change.error}
      extra={<ApiRequest method={props.method} input={wish} plain />}
      onConfirm={() =>
        change.mutate({ ...wish, mutation: change.error ? mutation() : carried } as MessageInitShape<I>)
      }
      onClose={props.onClose}
    >
      <div className="stack">
        <p>{t(words.about)}</p>
        {props.foretold ? (
          <DataState query={preview} lines={2}>
            {(answer) =>
              'preview' in answer && answer.preview ? (
                <Preview preview={answer.preview as PlanPreview} />
              ) : null
            }
          </DataState>
        ) : null}
      </div>
    </Confirm>
  );
}

export function Actions({ deployment }: { deployment: Deployment }) {
  const t = useT();
  const rights = useRights();
  const [open, setOpen] = useState(false);
  const whyNot = !rights.manages
    ? t('why.manager')
    : deployment.deleting
      ? t('why.deleting')
      : deployment.pendingPlanId
        ? t('why.plan')
        : undefined;
  const whyNotOwn = whyNot ?? (deployment.systemOwned ? t('why.system') : undefined);
  const whyNotStopped = whyNot ?? (deployment.terminated ? t('why.terminated') : undefined);
  const whyNotReset = !rights.administers ? t('why.admin') : whyNotStopped;
  // A policy is no plan: it may be changed while one runs.
  const whyNotPolicy = !rights.manages
    ? t('why.manager')
    : deployment.deleting
      ? t('why.deleting')
      : undefined;
  const can: Record<Action, boolean> = {
    resize: !whyNotStopped,
    restart: !whyNotStopped,
    terminate: !whyNotOwn && !deployment.terminated,
    restore: !whyNot && deployment.terminated,
    delete: !whyNotOwn,
    resetPassword: !whyNotReset,
    snapshots: !whyNotPolicy,
  };
  const asked = useAsked(true, (what) => Object.hasOwn(can, what) && can[what as Action]);
  const action = asked.asked as Action | null;
  const setAction = (what: Action) => asked.open(what);
  const item = (what: Action, label: MessageKey, why: string | undefined, danger = false) => (
    <DropdownItem
      isAriaDisabled={why !== undefined}
      isDanger={danger && why === undefined}
      {...(why ? { description: why } : { onClick: () => setAction(what) })}
    >
      {t(label)}
    </DropdownItem>
  );
  const common = { deployment, onClose: asked.close };
  const wish = { deployment: deployment.id };
  return (
    <>
      <ActionButton variant="secondary" whyNot={whyNotStopped} onClick={() => setAction('resize')}>
        {t('resize.go')}
      </ActionButton>
      <ActionButton variant="secondary" whyNot={whyNotStopped} onClick={() => setAction('restart')}>
        {t('restart.go')}
      </ActionButton>
      <Dropdown
        isOpen={open}
        onOpenChange={setOpen}
        onSelect={() => setOpen(false)}
        popperProps={{ position: 'right', appendTo: 'inline' }}
        toggle={(ref) => (
          <MenuToggle ref={ref} isExpanded={open} onClick={() => setOpen(!open)}>
            {t('more')}
          </MenuToggle>
        )}
      >
        <DropdownList>
          {item('snapshots', 'snapshots.go', whyNotPolicy)}
          {item('resetPassword', 'resetPassword.go', whyNotReset)}
          {deployment.terminated
            ? item('restore', 'restore.go', whyNot)
            : item('terminate', 'terminate.go', whyNotOwn, true)}
          {item('delete', 'delete.go', whyNotOwn, true)}
        </DropdownList>
      </Dropdown>
      {action === 'resize' ? <ResizeDialog {...common} /> : null}
      {action === 'snapshots' ? <SnapshotsDialog {...common} /> : null}
      {action === 'restart' ? (
        <ActionDialog
          {...common}
          action="restart"
          method={Deployments.method.restartDeployment}
          wish={wish}
          foretold
          typed={false}
          danger={false}
        />
      ) : null}
      {action === 'terminate' ? (
        <ActionDialog
          {...common}
          action="terminate"
          method={Deployments.method.terminateDeployment}
          wish={wish}
          foretold={false}
          typed={false}
          danger
        />
      ) : null}
      {action === 'restore' ? (
        <ActionDialog
          {...common}
          action="restore"
          method={Deployments.method.restoreDeployment}
          wish={wish}
          foretold
          typed={false}
          danger={false}
        />
      ) : null}
      {action === 'delete' ? (
        <ActionDialog
          {...common}
          action="delete"
          method={Deployments.method.deleteDeployment}
          wish={wish}
          foretold={false}
          typed
          danger
        />
      ) : null}
      {action === 'resetPassword' ? (
        <ActionDialog
          {...common}
          action="resetPassword"
          method={Deployments.method.resetPassword}
          wish={wish}
          foretold={false}
          typed={false}
          danger={false}
        />
      ) : null}
    </>
  );
}
