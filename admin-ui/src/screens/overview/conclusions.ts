// What the overview concludes itself: services that answer errors, containers that pile up. Pure.
import type { ServiceKind, ServiceSummary } from '../../generated/wharf/monitor/v1/services_pb';
import type { Allocator, Zone } from '../../generated/wharf/v1/allocators_pb';
import type { Problem } from '../../generated/wharf/v1/platform_pb';

/** Of fewer requests a share says little. */
const FEWEST_ERRORS = 3;
/** From this share of errors on it is a finding. */
const ERROR_SHARE = 0.01;
/** So many times as many as on the others … */
const PILE_FACTOR = 2;
/** … and so many more. */
const PILE_MORE = 5;

export interface Erring {
  name: string;
  kind: ServiceKind;
  errors: number;
  requests: number;
  share: number;
  hosts: string[];
  /** Nothing is wrong with the hosts that it runs on. */
  hostsHealthy: boolean;
}

/** Services that answer errors, the one with the largest share of them first. */
export function erring(
  services: readonly Pick<ServiceSummary, 'name' | 'kind' | 'errors' | 'requests' | 'errorRatio' | 'hosts'>[],
  problems: readonly Pick<Problem, 'subjectKind' | 'subject'>[],
  /** So many there are: of those that are not here nobody knows which hosts they are about. */
  problemsTotal: number = problems.length,
): Erring[] {
  const bad = new Set(
    problems
      .filter((one) => ['host', 'lost_host', 'allocator'].includes(one.subjectKind))
      .map((one) => one.subject),
  );
  return services
    .filter((one) => Number(one.errors ?? 0n) >= FEWEST_ERRORS && (one.errorRatio ?? 0) >= ERROR_SHARE)
    .map((one) => ({
      name: one.name,
      kind: one.kind,
      errors: Number(one.errors ?? 0n),
      requests: Number(one.requests ?? 0n),
      share: one.errorRatio ?? 0,
      hosts: [...one.hosts],
      hostsHealthy:
        problemsTotal <= problems.length && one.hosts.length > 0 && one.hosts.every((host) => !bad.has(host)),
    }))
    .sort((a, b) => b.share - a.share);
}

export interface Pile {
  what: 'host' | 'zone';
  name: string;
  containers: number;
  /** Of the whole platform. */
  total: number;
  /** What the others have on average. */
  others: number;
}

function isPile(mine: number, others: number): boolean {
  return mine >= PILE_FACTOR * others && mine - others >= PILE_MORE;
}

/**
 * Where containers pile up. `fullest` are the hosts with the most of them: the others are known by their
 * sum. A zone counts by how many a host of it has, so that one with more hosts is no pile.
 */
export function piles(
  zones: readonly Pick<Zone, 'name' | 'hosts' | 'containers'>[],
  fullest: readonly Pick<Allocator, 'host' | 'zone' | 'containers'>[],
): Pile[] {
  const total = zones.reduce((sum, one) => sum + one.containers, 0);
  const hosts = zones.reduce((sum, one) => sum + one.hosts, 0);
  const found: Pile[] = [];
  const explained = new Set<string>();
  for (const one of fullest) {
    if (hosts < 2) break;
    const others = (total - one.containers) / (hosts - 1);
    if (!isPile(one.containers, others)) continue;
    found.push({ what: 'host', name: one.host, containers: one.containers, total, others });
    explained.add(one.zone);
  }
  for (const one of zones) {
    const otherHosts = hosts - one.hosts;
    if (one.hosts === 0 || otherHosts === 0 || explained.has(one.name)) continue;
    const others = (total - one.containers) / otherHosts;
    const mine = one.containers / one.hosts;
    if (isPile(mine, others)) {
      found.push({
        what: 'zone',
        name: one.name,
        containers: one.containers,
        total,
        // As many as it would have if it were like the others.
        others: others * one.hosts,
      });
    }
  }
  return found;
}
