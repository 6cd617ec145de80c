// The words and tones of the states that the contracts know.
import { VacateStatus } from '../../generated/wharf/v1/allocators_pb';
import { Health } from '../../generated/wharf/v1/common_pb';
import { InstanceState } from '../../generated/wharf/v1/deployments_pb';
import { DirectorRole } from '../../generated/wharf/v1/directors_pb';
import { PlanKind, PlanStatus, StepStatus } from '../../generated/wharf/v1/plans_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { Mark, type Tone } from './Mark';

type Words = readonly [Tone, MessageKey];

const HEALTH: Record<Health, Words> = {
  [Health.UNSPECIFIED]: ['off', 'health.unknown'],
  [Health.HEALTHY]: ['good', 'health.healthy'],
  [Health.DEGRADED]: ['warn', 'health.degraded'],
  [Health.UNHEALTHY]: ['bad', 'health.unhealthy'],
  [Health.UNKNOWN]: ['off', 'health.unknown'],
};

const INSTANCE: Record<InstanceState, Words> = {
  [InstanceState.UNSPECIFIED]: ['off', 'health.unknown'],
  [InstanceState.PENDING]: ['wait', 'instance.pending'],
  [InstanceState.STARTING]: ['busy', 'instance.starting'],
  [InstanceState.RUNNING]: ['good', 'instance.running'],
  [InstanceState.STOPPED]: ['off', 'instance.stopped'],
  [InstanceState.FAILED]: ['bad', 'instance.failed'],
  [InstanceState.LOST]: ['bad', 'instance.lost'],
};

const PLAN: Record<PlanStatus, Words> = {
  [PlanStatus.UNSPECIFIED]: ['off', 'health.unknown'],
  [PlanStatus.PENDING]: ['wait', 'plan.pending'],
  [PlanStatus.RUNNING]: ['busy', 'plan.running'],
  [PlanStatus.DONE]: ['good', 'plan.done'],
  [PlanStatus.FAILED]: ['bad', 'plan.failed'],
  [PlanStatus.SUPERSEDED]: ['off', 'plan.superseded'],
  [PlanStatus.CANCELLED]: ['off', 'plan.cancelled'],
};

const STEP: Record<StepStatus, Words> = {
  [StepStatus.UNSPECIFIED]: ['off', 'health.unknown'],
  [StepStatus.WAITING]: ['wait', 'step.waiting'],
  [StepStatus.RUNNING]: ['busy', 'plan.running'],
  [StepStatus.DONE]: ['good', 'plan.done'],
  [StepStatus.FAILED]: ['bad', 'plan.failed'],
};

const VACATE: Record<VacateStatus, Words> = {
  [VacateStatus.UNSPECIFIED]: ['off', 'health.unknown'],
  [VacateStatus.RUNNING]: ['busy', 'plan.running'],
  [VacateStatus.DONE]: ['good', 'plan.done'],
  [VacateStatus.FAILED]: ['bad', 'plan.failed'],
  [VacateStatus.CANCELLED]: ['off', 'plan.cancelled'],
};

const MOVE: Record<string, Words> = {
  waiting: ['wait', 'step.waiting'],
  moving: ['busy', 'move.moving'],
  moved: ['good', 'move.moved'],
  failed: ['bad', 'plan.failed'],
  cancelled: ['off', 'plan.cancelled'],
};

export const KINDS: Record<PlanKind, MessageKey> = {
  [PlanKind.UNSPECIFIED]: 'health.unknown',
  [PlanKind.CREATE]: 'kind.create',
  [PlanKind.DELETE]: 'kind.delete',
  [PlanKind.UPGRADE]: 'kind.upgrade',
  [PlanKind.EXTEND]: 'kind.extend',
  [PlanKind.RESIZE]: 'kind.resize',
  [PlanKind.RESTART]: 'kind.restart',
  [PlanKind.TERMINATE]: 'kind.terminate',
  [PlanKind.RESTORE]: 'kind.restore',
  [PlanKind.RESET_PASSWORD]: 'kind.resetPassword',
  [PlanKind.MOVE]: 'kind.move',
  [PlanKind.PAUSE]: 'kind.pause',
  [PlanKind.RESUME]: 'kind.resume',
};

export const DIRECTOR_ROLES: Record<DirectorRole, MessageKey> = {
  [DirectorRole.UNSPECIFIED]: 'health.unknown',
  [DirectorRole.LEADER]: 'director.leader',
  [DirectorRole.FOLLOWER]: 'director.follower',
  [DirectorRole.LEARNER]: 'director.learner',
};

function Worded({ words }: { words: Words }) {
  const t = useT();
  return <Mark tone={words[0]} word={t(words[1])} />;
}

export function HealthMark({ health }: { health: Health }) {
  return <Worded words={HEALTH[health] ?? HEALTH[Health.UNKNOWN]} />;
}
export function InstanceMark({ state }: { state: InstanceState }) {
  return <Worded words={INSTANCE[state] ?? INSTANCE[InstanceState.UNSPECIFIED]} />;
}
export function PlanMark({ status }: { status: PlanStatus }) {
  return <Worded words={PLAN[status] ?? PLAN[PlanStatus.UNSPECIFIED]} />;
}
export function StepMark({ status }: { status: StepStatus }) {
  return <Worded words={STEP[status] ?? STEP[StepStatus.UNSPECIFIED]} />;
}
export function VacateMark({ status }: { status: VacateStatus }) {
  return <Worded words={VACATE[status] ?? VACATE[VacateStatus.UNSPECIFIED]} />;
}
export function MoveMark({ state }: { state: string }) {
  return <Worded words={MOVE[state] ?? ['off', 'health.unknown']} />;
}
/** States of containers as Docker has them; another word is its own. */
export const CONTAINER_STATES: Record<string, MessageKey> = {
  running: 'container.state.running',
  exited: 'container.state.exited',
  paused: 'container.state.paused',
  restarting: 'container.state.restarting',
  created: 'container.state.created',
  dead: 'container.state.dead',
};
const CONTAINER_HEALTH: Record<string, MessageKey> = {
  unhealthy: 'container.health.unhealthy',
  starting: 'container.health.starting',
};

export function ContainerMark({ state, health }: { state: string; health: string }) {
  const t = useT();
  const said = (words: Record<string, MessageKey>, word: string) => {
    const key = words[word];
    return key ? t(key) : word;
  };
  const tone: Tone =
    health === 'unhealthy'
      ? 'bad'
      : state === 'restarting'
        ? 'warn'
        : health === 'starting'
          ? 'busy'
          : state === 'running'
            ? 'good'
            : 'off';
  const more = health && health !== 'healthy' ? `, ${said(CONTAINER_HEALTH, health)}` : '';
  return <Mark tone={tone} word={`${said(CONTAINER_STATES, state)}${more}`} />;
}

/** Whether the plan goes on. */
export function planGoesOn(status: PlanStatus): boolean {
  return status === PlanStatus.PENDING || status === PlanStatus.RUNNING;
}
