// Where the evidence of a finding is, and where what it proposes is done: the very dialog or page. What pages cannot
// do has its reason. The codes are those that directors and allocators tell; the test reads them where they are made.
import type { Rights } from '../../api/session';
import type { Problem } from '../../generated/wharf/v1/platform_pb';
import type { MessageKey } from '../../i18n/i18n';
import { containerPath } from '../../shared/names/paths';
import { discoverLink, fieldIs } from '../../shared/search/discover-link';
import { asking } from '../../shared/use-asked';
import { LINES, lineWords } from '../services/queries';
import type { Erring, Pile } from './conclusions';

export interface Act {
  label: MessageKey;
  to: string;
  /** Whoever has it not sees why it cannot be pressed. */
  needs: 'administers' | 'manages' | 'seesPlatform';
}

/** Why no page can do it. */
export interface NoAct {
  why: MessageKey;
}

export type Told = Pick<Problem, 'code' | 'subjectKind' | 'subject' | 'message' | 'hint'>;

const hostPath = (host: string) => `/hosts/${encodeURIComponent(host)}`;
const deploymentPath = (name: string) => `/deployments/${encodeURIComponent(name)}`;

/** A problem of a plan is about its deployment; which plan it is stands in the command that the hint gives. */
function planIn({ hint }: Told): string | undefined {
  return /`wharf plan show ([0-9a-f]+)`/.exec(hint)?.[1];
}

/** `DEPLOYMENT/INSTANCE`, where an instance is what it is about. */
function deploymentOf({ subject }: Told): string {
  const end = subject.lastIndexOf('/');
  return end < 0 ? subject : subject.slice(0, end);
}

export function evidenceOf(problem: Told): string | null {
  const { subject } = problem;
  switch (problem.subjectKind) {
    case 'allocator':
    case 'host':
    case 'lost_host':
    case 'collector':
      return hostPath(subject);
    case 'zone':
      return `/hosts?f.zone=${encodeURIComponent(subject)}`;
    case 'deployment':
      return deploymentPath(subject);
    case 'snapshots':
    case 'restored':
      return deploymentPath(deploymentOf(problem));
    case 'plan': {
      const plan = planIn(problem);
      return plan ? `/plans/${plan}` : `/plans?q=${encodeURIComponent(subject)}`;
    }
    case 'director':
    case 'proxy':
    case 'platform':
      return '/control-plane';
    default:
      return null;
  }
}

type Acts = (problem: Told, platform: string) => Act | NoAct;

const onHost: Acts = () => ({ why: 'act.none.host' });
const vacate: Acts = ({ subject }) => ({
  label: 'vacate.begin',
  to: asking(hostPath(subject), 'vacate'),
  needs: 'administers',
});
const engineLog: Acts = ({ subject }) => ({
  label: 'act.log.engine',
  to: `${hostPath(subject)}?tab=logs`,
  needs: 'seesPlatform',
});
const roleLog =
  (role: string, label: MessageKey): Acts =>
  ({ subject }, platform) => ({
    label,
    to: containerPath(subject, `wharf-${platform}-${role}`, 'logs'),
    needs: 'seesPlatform',
  });
const allocatorLog = roleLog('allocator', 'act.log.allocator');

function resize(name: string): Act {
  return { label: 'resize.go', to: asking(deploymentPath(name), 'resize'), needs: 'manages' };
}

/** By the reasons of its instances. */
const ofDeployment: Acts = ({ subject, message }) => {
  if (message.includes(', out of memory')) return resize(subject);
  if (message.includes('last exit with code')) {
    // The subject is how it is reached, the lines have its name.
    const name = /^`([^`]+)`/.exec(message)?.[1] ?? subject;
    return {
      label: 'act.log.deployment',
      to: discoverLink({ indices: [LINES], q: fieldIs('wharf.deployment.name', name), from: 'now-1h' }),
      needs: 'seesPlatform',
    };
  }
  if (/has been silent since|waits for \S+ since/.test(message)) return { why: 'act.none.itsHost' };
  return { label: 'restart.go', to: asking(deploymentPath(subject), 'restart'), needs: 'manages' };
};

/** No host has the room: the director's `PLAN_NO_ROOM`. */
const NO_ROOM = 'DIR0060';

const failedPlan: Acts = (problem) => {
  const plan = planIn(problem);
  if (problem.message.includes(`failed: ${NO_ROOM}:`) || !plan) return resize(problem.subject);
  return { label: 'plan.reapply', to: asking(`/plans/${plan}`, 'reapply'), needs: 'manages' };
};

const waitingPlan: Acts = (problem) => ({
  label: 'plan.cancel',
  to: asking(evidenceOf(problem) ?? '/plans', 'cancel'),
  needs: 'manages',
});

const directorsLog: Acts = (_, platform) => ({
  label: 'act.log.directors',
  to: discoverLink({
    indices: [LINES],
    q: fieldIs('container.name', `wharf-${platform}-director`),
    from: 'now-1h',
  }),
  needs: 'seesPlatform',
});

const ACTS: Readonly<Record<string, Acts>> = {
  DIR0101: vacate,
  DIR0102: ofDeployment,
  DIR0103: failedPlan,
  DIR0104: waitingPlan,
  DIR0105: roleLog('proxy', 'act.log.proxy'),
  DIR0106: allocatorLog,
  DIR0107: () => ({ why: 'act.none.up' }),
  DIR0108: () => ({ why: 'act.none.up' }),
  DIR0109: allocatorLog,
  DIR0110: () => ({
    label: 'act.zone',
    to: asking('/settings?q=health.lost_zones', 'health.lost_zones'),
    needs: 'administers',
  }),
  DIR0111: vacate,
  DIR0112: (problem) => ({
    label: 'act.snapshots',
    to: asking(deploymentPath(deploymentOf(problem)), 'snapshots'),
    needs: 'manages',
  }),
  DIR0113: onHost,
  ALL0001: engineLog,
  ALL0002: onHost,
  ALL0003: onHost,
  ALL0004: engineLog,
  ALL0005: engineLog,
  ALL0006: onHost,
  ALL0021: vacate,
  ALL0022: onHost,
  ALL0023: onHost,
  ALL0024: onHost,
  ALL0025: allocatorLog,
  ALL0041: directorsLog,
};

/** Nothing: these pages do not know what is told. */
export function actOf(problem: Told, platform: string): Act | NoAct | null {
  return ACTS[problem.code]?.(problem, platform) ?? null;
}

/** What a service that answers errors wrote meanwhile. */
export function actOnErring({ name, kind }: Pick<Erring, 'name' | 'kind'>): Act {
  return {
    label: 'act.log.errors',
    to: discoverLink({ indices: [LINES], q: lineWords(name, kind, 'error', ''), from: 'now-15m' }),
    needs: 'seesPlatform',
  };
}

/** What would be lost with a place where much lies. */
export function actOnPile({ what, name }: Pick<Pile, 'what' | 'name'>): Act {
  return {
    label: 'act.lose',
    to: `/placement?${new URLSearchParams({ lose: `${what}:${name}` })}`,
    needs: 'seesPlatform',
  };
}

const WHY_NOT = { administers: 'why.admin', manages: 'why.manager', seesPlatform: 'why.viewer' } as const;

/** Why who is logged in cannot do it. */
export function whyNotOf({ needs }: Pick<Act, 'needs'>, rights: Rights): MessageKey | undefined {
  return rights[needs] ? undefined : WHY_NOT[needs];
}
