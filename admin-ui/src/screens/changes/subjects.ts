// What changes are of, and what their texts name: instances, their deployments, plans. Pure.

export type What = 'containers' | 'instances' | 'orders' | 'hosts' | 'deployments' | 'plans' | 'all';

export const WHATS: readonly What[] = [
  'containers',
  'instances',
  'orders',
  'hosts',
  'deployments',
  'plans',
  'all',
];

export function whatOf(text: string | null): What {
  return WHATS.find((one) => one === text) ?? 'containers';
}

const ROLES = ['director', 'allocator', 'proxy'];

function ownPrefix(platform: string): string {
  return platform ? `wharf-${platform}-` : 'wharf-';
}

/** The filter of a list; containers of this platform that are no role's are its instances'. */
export function filterOf(what: What, platform: string): string {
  switch (what) {
    case 'containers':
      return 'kind~container';
    case 'instances': {
      const own = ownPrefix(platform);
      const roles = ROLES.map((role) => `subject!="container/${own}${role}"`);
      return ['kind~container', `subject~"container/${own}"`, ...roles].join(' and ');
    }
    case 'orders':
      return 'kind~_instance';
    case 'hosts':
      return 'kind~allocator';
    case 'deployments':
      return 'kind~deployment';
    case 'plans':
      return 'kind~plan';
    default:
      return '';
  }
}

export interface InstanceOf {
  /** Of its deployment. */
  alias: string;
  /** `storage-0`. */
  name: string;
}

/** The instance of a container, by the name that allocators give it; nothing where it is none. */
export function instanceOf(subject: string, platform: string): InstanceOf | undefined {
  const own = `container/${ownPrefix(platform)}`;
  if (!platform || !subject.startsWith(own)) return undefined;
  const found = /^(.+)-([a-z]+-\d+)(?:-[0-9a-f]{8})?$/.exec(subject.slice(own.length));
  return found?.[1] && found[2] ? { alias: found[1], name: found[2] } : undefined;
}

export interface Cause {
  before: string;
  /** The plan that is named between; empty: none is. */
  planId: string;
  after: string;
}

/** The text around the plan that it names. */
export function causeOf(detail: string): Cause {
  const found = /\bplan ([0-9a-f]{32})\b/.exec(detail);
  if (!found?.[1]) return { before: detail, planId: '', after: '' };
  return {
    before: detail.slice(0, found.index),
    planId: found[1],
    after: detail.slice(found.index + found[0].length),
  };
}

export type Moved = 'here' | 'away';

/** What a plan of a move does to a container is no appearing and vanishing: its instance goes elsewhere. */
export function movedBy(kind: string, isMove: boolean): Moved | undefined {
  if (!isMove) return undefined;
  if (kind === 'container_appeared') return 'here';
  return kind === 'container_vanished' ? 'away' : undefined;
}
