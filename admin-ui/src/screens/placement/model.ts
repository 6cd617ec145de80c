// What lies where: zones, their hosts, their containers; where it is concentrated; what would be lost
// with a host or a zone. Pure.
import type { Allocator } from '../../generated/wharf/v1/allocators_pb';
import type { Container } from '../../generated/wharf/v1/containers_pb';
import type { Event } from '../../generated/wharf/v1/events_pb';
import type { PlacedInstance } from '../../generated/wharf/v1/instances_pb';

export const METRICS = ['memory', 'cpu', 'restarts'] as const;
export type Metric = (typeof METRICS)[number];

export interface MapContainer {
  key: string;
  name: string;
  host: string;
  zone: string;
  application: string;
  deployment: string;
  deploymentId: string;
  /** Of the platform: a role or an instance. Others are never moved. */
  own: boolean;
  memory: number;
  /** What the colour is of; nothing is known: null. */
  values: Record<Metric, number | null>;
}

export interface MapHost {
  host: string;
  connected: boolean;
  memory: number;
  containers: MapContainer[];
}

export interface MapZone {
  zone: string;
  memory: number;
  hosts: MapHost[];
}

const byName = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

/** Restarts of containers by host and name, as the platform's events tell. */
export function restartsOf(events: readonly Pick<Event, 'kind' | 'subject' | 'host'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of events) {
    const [what, ...name] = event.subject.split('/');
    if (what !== 'container' || !/restarted$/.test(event.kind)) continue;
    const key = `${event.host} ${name.join('/')}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function shown(one: Container, restarts: ReadonlyMap<string, number> | undefined): MapContainer {
  const sample = one.sample;
  const memory = Number(sample?.memoryBytes ?? 0n);
  const limit = Number(sample?.memoryLimitBytes ?? 0n);
  return {
    key: `${one.allocatorId} ${one.id}`,
    name: one.name,
    host: one.host,
    zone: one.zone,
    application: one.application,
    deployment: one.deploymentName,
    deploymentId: one.deploymentId,
    own: one.role !== '' || one.instanceId !== '',
    memory,
    values: {
      memory: sample && limit > 0 ? (memory / limit) * 100 : null,
      cpu: sample ? sample.cpuPercent : null,
      restarts: restarts ? (restarts.get(`${one.host} ${one.name}`) ?? 0) : null,
    },
  };
}

/** Zones and hosts by name, the largest container of a host first. Hosts without any are there too. */
export function mapOf(
  hosts: readonly Pick<Allocator, 'host' | 'zone' | 'connected'>[],
  containers: readonly Container[],
  restarts: ReadonlyMap<string, number> | undefined,
): MapZone[] {
  const zones = new Map<string, Map<string, MapHost>>();
  const hostOf = (zone: string, host: string, connected: boolean): MapHost => {
    const ofZone = zones.get(zone) ?? new Map<string, MapHost>();
    zones.set(zone, ofZone);
    const known = ofZone.get(host) ?? { host, connected, memory: 0, containers: [] };
    ofZone.set(host, known);
    return known;
  };
  for (const one of hosts) hostOf(one.zone, one.host, one.connected);
  for (const one of containers) {
    const host = hostOf(one.zone, one.host, true);
    const container = shown(one, restarts);
    host.containers.push(container);
    host.memory += container.memory;
  }
  return [...zones]
    .sort((a, b) => byName(a[0], b[0]))
    .map(([zone, ofZone]) => {
      const list = [...ofZone.values()].sort((a, b) => byName(a.host, b.host));
      for (const host of list) host.containers.sort((a, b) => b.memory - a.memory || byName(a.name, b.name));
      return { zone, hosts: list, memory: list.reduce((sum, one) => sum + one.memory, 0) };
    });
}

/** Least values of the second to the last step of a colour. */
export const STEPS: Record<Metric, readonly number[]> = {
  memory: [50, 70, 80, 95],
  cpu: [10, 50, 100, 200],
  restarts: [1, 2, 5, 10],
};

/** 0 to 4; −1 when nothing is known. */
export function stepOf(metric: Metric, value: number | null): number {
  if (value === null) return -1;
  return STEPS[metric].filter((least) => value >= least).length;
}

/** Every container in the order of the map, for those who go through it by keys. */
export function inOrder(zones: readonly MapZone[]): MapContainer[] {
  return zones.flatMap((zone) => zone.hosts.flatMap((host) => host.containers));
}

/** The first container of the host before or after. */
export function hostBeside(order: readonly MapContainer[], at: number, way: 1 | -1): number {
  const here = order[at]?.host;
  let to = at;
  while (order[to] && order[to]?.host === here) to += way;
  const other = order[to];
  if (!other) return at;
  return order.findIndex((one) => one.host === other.host && one.zone === other.zone);
}

export interface Concentration {
  deployment: string;
  deploymentId: string;
  kind: string;
  instances: number;
  what: 'host' | 'zone';
  name: string;
}

function kindsOf(instances: readonly PlacedInstance[]): PlacedInstance[][] {
  const kinds = new Map<string, PlacedInstance[]>();
  for (const one of instances) {
    const key = `${one.deploymentId} ${one.resourceKind}`;
    const list = kinds.get(key) ?? [];
    list.push(one);
    kinds.set(key, list);
  }
  return [...kinds.values()];
}

/** Deployments that have several instances of a kind, and all of them in one place. */
export function concentrations(
  instances: readonly PlacedInstance[],
  hosts: number,
  zones: number,
): Concentration[] {
  return kindsOf(instances.filter((one) => one.host !== ''))
    .flatMap((list): Concentration[] => {
      const first = list[0];
      if (!first || list.length < 2) return [];
      const about = {
        deployment: first.deploymentName,
        deploymentId: first.deploymentId,
        kind: first.resourceKind,
        instances: list.length,
      };
      if (hosts > 1 && list.every((one) => one.host === first.host)) {
        return [{ ...about, what: 'host', name: first.host }];
      }
      const zone = first.instance?.zone ?? '';
      if (zones > 1 && list.every((one) => one.instance?.zone === zone)) {
        return [{ ...about, what: 'zone', name: zone }];
      }
      return [];
    })
    .sort((a, b) => byName(a.deployment, b.deployment));
}

export interface LostKind {
  deployment: string;
  deploymentId: string;
  kind: string;
  lost: number;
  of: number;
}

export interface Loss {
  instances: number;
  /** What they are assigned. */
  memory: number;
  kinds: LostKind[];
  /** What is free on the hosts that would be left, connected and not in maintenance. */
  free: number;
  /** Containers that are not the platform's and would be gone. */
  others: number;
}

type Capacity = Pick<Allocator, 'host' | 'zone' | 'connected' | 'maintenance' | 'capacity' | 'used'>;

/** What would be lost; those that would have nothing left come first. */
export function lossOf(
  isLost: (host: string, zone: string) => boolean,
  hosts: readonly Capacity[],
  instances: readonly PlacedInstance[],
  containers: readonly MapContainer[],
): Loss {
  const zoneOf = new Map(hosts.map((one) => [one.host, one.zone]));
  const gone = (one: PlacedInstance) =>
    one.host !== '' && isLost(one.host, zoneOf.get(one.host) ?? one.instance?.zone ?? '');
  const lost = instances.filter(gone);
  const kinds = kindsOf(instances).flatMap((list): LostKind[] => {
    const first = list[0];
    const count = list.filter(gone).length;
    if (!first || count === 0) return [];
    const { deploymentName: deployment, deploymentId, resourceKind: kind } = first;
    return [{ deployment, deploymentId, kind, lost: count, of: list.length }];
  });
  const left = hosts.filter((one) => one.connected && !one.maintenance && !isLost(one.host, one.zone));
  return {
    instances: lost.length,
    memory: lost.reduce((sum, one) => sum + Number(one.instance?.memoryBytes ?? 0n), 0),
    kinds: kinds.sort((a, b) => b.lost / b.of - a.lost / a.of || byName(a.deployment, b.deployment)),
    free: left.reduce(
      (sum, one) =>
        sum + Math.max(0, Number((one.capacity?.memoryBytes ?? 0n) - (one.used?.memoryBytes ?? 0n))),
      0,
    ),
    others: containers.filter((one) => !one.own && isLost(one.host, one.zone)).length,
  };
}
