// Jump to a page, a host, a deployment, a container, or to what is to be done with a deployment. Things
// are searched by the server.
import { Modal, ModalBody, TextInput } from '@patternfly/react-core';
import { type KeyboardEvent, useDeferredValue, useState } from 'react';
import { useNavigate } from 'react-router';
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { type Deployment, Deployments } from '../../generated/wharf/v1/deployments_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { containerPath } from '../../shared/names/paths';
import { ASKED } from '../../shared/use-asked';
import { THEMES } from '../../theme/look';
import { setTheme } from '../../theme/theme';
import { placesFor } from '../places';
import { THEME_WORDS } from './theme-words';
import { wishesOf } from './wish';

interface Goal {
  id: string;
  label: string;
  kind: string;
  /** The path that it leads to, or what it does here. */
  to: string | (() => void);
}

/** What can be done with a deployment, in the words of its buttons. */
const ACTS = {
  resize: 'resize.go',
  restart: 'restart.go',
  terminate: 'terminate.go',
  restore: 'restore.go',
  cancel: 'plan.cancel',
} as const satisfies Record<string, MessageKey>;
type Act = keyof typeof ACTS;

/** Whether it can be done as things stand: the page of the deployment says of the others why not. */
function canBe(act: Act, one: Deployment): boolean {
  if (act === 'cancel') return one.pendingPlanId !== '';
  if (one.pendingPlanId || one.deleting) return false;
  if (act === 'restore') return one.terminated;
  if (act === 'terminate') return !one.terminated && !one.systemOwned;
  return !one.terminated;
}

function pathOf(act: Act, one: Deployment): string {
  const page = act === 'cancel' ? `/plans/${one.pendingPlanId}` : `/deployments/${one.id}`;
  return `${page}?${ASKED}=${act}`;
}

function containing(field: string, text: string) {
  return { pageSize: 6, filter: `${field}~"${text.replaceAll('"', '')}"` };
}

export function Palette({ onClose }: { onClose: () => void }) {
  const t = useT();
  const navigate = useNavigate();
  const rights = useRights();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const wanted = useDeferredValue(text.trim());
  const asks = wanted.length > 0;
  const deployments = useCall(
    Deployments.method.listDeployments,
    { options: containing('name', wanted) },
    { enabled: asks && rights.seesDeployments, keep: true },
  );
  const verbs = (Object.keys(ACTS) as Act[]).map((act) => ({ act, label: t(ACTS[act]) }));
  const steers = rights.manages && rights.seesDeployments;
  const wishes = steers ? wishesOf(wanted, verbs) : [];
  const meant = wishes[0]?.name ?? '';
  const candidates = useCall(
    Deployments.method.listDeployments,
    { options: meant ? containing('name', meant) : { pageSize: 6 } },
    { enabled: wishes.length > 0, keep: true },
  );
  const seesHosts = asks && rights.seesPlatform;
  const hosts = useCall(
    Allocators.method.listAllocators,
    { options: containing('host', wanted) },
    { enabled: seesHosts, keep: true },
  );
  const containers = useCall(
    Containers.method.listContainers,
    { options: containing('name', wanted) },
    { enabled: seesHosts, keep: true },
  );

  const goals: Goal[] = placesFor(rights)
    .flatMap((group) => group.places)
    .map((place) => ({ id: place.path, label: t(place.label), kind: t('palette.page'), to: place.path }))
    .filter((goal) => goal.label.toLowerCase().includes(wanted.toLowerCase()));
  if (steers && t('create.title').toLowerCase().includes(wanted.toLowerCase())) {
    goals.push({
      id: 'create',
      label: t('create.title'),
      kind: t('palette.action'),
      to: '/deployments/create',
    });
  }
  if (asks) {
    for (const theme of THEMES) {
      const label = `${t('theme.title')}: ${t(THEME_WORDS[theme])}`;
      if (!label.toLowerCase().includes(wanted.toLowerCase())) continue;
      goals.push({ id: theme, label, kind: t('palette.action'), to: () => setTheme(theme) });
    }
    for (const { act, name } of wishes) {
      // What is called exactly so comes before what is only called alike.
      const found = [...(candidates.data?.deployments ?? [])]
        .filter((one) => one.name.includes(name) && canBe(act, one))
        .sort((a, b) => Number(b.name === name) - Number(a.name === name));
      for (const one of found) {
        goals.push({
          id: `${act} ${one.id}`,
          label: `${t(ACTS[act])}: ${one.name}`,
          kind: t('palette.action'),
          to: pathOf(act, one),
        });
      }
    }
    for (const one of deployments.data?.deployments ?? []) {
      goals.push({
        id: one.id,
        label: one.name,
        kind: t('palette.deployment'),
        to: `/deployments/${one.id}`,
      });
    }
    for (const one of hosts.data?.allocators ?? []) {
      goals.push({ id: one.id, label: one.host, kind: t('palette.host'), to: `/hosts/${one.host}` });
    }
    for (const one of containers.data?.containers ?? []) {
      goals.push({
        id: one.id,
        label: one.name,
        kind: t('palette.container'),
        to: containerPath(one.host, one.name),
      });
    }
  }
  const at = Math.min(chosen, Math.max(0, goals.length - 1));
  const go = (goal: Goal | undefined) => {
    if (!goal) return;
    onClose();
    if (typeof goal.to === 'string') void navigate(goal.to);
    else goal.to();
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setChosen(Math.min(at + 1, goals.length - 1));
    else if (event.key === 'ArrowUp') setChosen(Math.max(at - 1, 0));
    else if (event.key === 'Enter') go(goals[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Modal isOpen variant="small" position="top" onClose={onClose} aria-label={t('palette.open')}>
      <ModalBody>
        <TextInput
          id="palette"
          autoFocus
          role="combobox"
          aria-expanded
          aria-controls="palette-list"
          aria-activedescendant={goals.length > 0 ? `goal-${at}` : undefined}
          aria-label={t('palette.open')}
          placeholder={t('palette.open')}
          value={text}
          autoComplete="off"
          onKeyDown={press}
          onChange={(_, value) => {
            setText(value);
            setChosen(0);
          }}
        />
        <div className="palette-list" id="palette-list" role="listbox" aria-label={t('palette.found')}>
          {goals.map((goal, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the box above takes the keys
            // biome-ignore lint/a11y/useFocusableInteractive: focus stays in the box above
            <div
              key={goal.id}
              id={`goal-${index}`}
              role="option"
              aria-selected={index === at}
              onMouseEnter={() => setChosen(index)}
              onClick={() => go(goal)}
            >
              {goal.label}
              <span className="kind">{goal.kind}</span>
            </div>
          ))}
        </div>
        {goals.length === 0 ? <p className="quiet">{t('palette.none')}</p> : null}
      </ModalBody>
    </Modal>
  );
}
