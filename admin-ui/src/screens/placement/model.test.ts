import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { AllocatorSchema } from '../../generated/wharf/v1/allocators_pb';
import { ContainerSchema } from '../../generated/wharf/v1/containers_pb';
import { PlacedInstanceSchema } from '../../generated/wharf/v1/instances_pb';
import { concentrations, hostBeside, inOrder, lossOf, mapOf, restartsOf, stepOf } from './model';

const GIB = 1024n ** 3n;

function container(host: string, zone: string, name: string, gib: number, own = true) {
  return create(ContainerSchema, {
    id: `${host}${name}`,
    name,
    host,
    zone,
    role: own ? 'instance' : '',
    sample: { memoryBytes: BigInt(gib) * GIB, memoryLimitBytes: 4n * GIB, cpuPercent: 120 },
  });
}

function host(name: string, zone: string, usedGib: number, more = {}) {
  return create(AllocatorSchema, {
    host: name,
    zone,
    connected: true,
    capacity: { memoryBytes: 8n * GIB },
    used: { memoryBytes: BigInt(usedGib) * GIB },
    ...more,
  });
}

function instance(deployment: string, kind: string, on: string, zone: string) {
  return create(PlacedInstanceSchema, {
    deploymentId: deployment,
    deploymentName: deployment,
    resourceKind: kind,
    host: on,
    instance: { zone, memoryBytes: 2n * GIB },
  });
}

const hosts = [host('h10', 'z1', 4), host('h2', 'z1', 1), host('h3', 'z2', 6)];
const containers = [
  container('h2', 'z1', 'small', 1),
  container('h2', 'z1', 'large', 3),
  container('h10', 'z1', 'web', 2, false),
];

test('the map has zones, hosts and containers in an order that stays, empty hosts too', () => {
  const map = mapOf(hosts, containers, undefined);
  expect(map.map((zone) => [zone.zone, zone.hosts.map((one) => one.host)])).toEqual([
    ['z1', ['h2', 'h10']],
    ['z2', ['h3']],
  ]);
  expect(inOrder(map).map((one) => one.name)).toEqual(['large', 'small', 'web']);
  expect(map[0]?.memory).toBe(Number(6n * GIB));
});

test('what is not of the platform is told apart', () => {
  const order = inOrder(mapOf(hosts, containers, undefined));
  expect(order.map((one) => one.own)).toEqual([true, true, false]);
});

test('keys go from host to host', () => {
  const order = inOrder(mapOf(hosts, containers, undefined));
  expect(hostBeside(order, 1, 1)).toBe(2);
  expect(hostBeside(order, 2, -1), 'the first container of the host before').toBe(0);
  expect(hostBeside(order, 2, 1), 'there is none after').toBe(2);
});

test('values become steps of a colour', () => {
  expect([49, 50, 79, 95, 200].map((value) => stepOf('memory', value))).toEqual([0, 1, 2, 4, 4]);
  expect(stepOf('restarts', 0)).toBe(0);
  expect(stepOf('cpu', null)).toBe(-1);
});

test('restarts are counted by host and name, of containers alone', () => {
  const counts = restartsOf([
    { kind: 'container_restarted', subject: 'container/web', host: 'h1' },
    { kind: 'container_restarted', subject: 'container/web', host: 'h1' },
    { kind: 'role_restarted', subject: 'container/director', host: 'h1' },
    { kind: 'container_appeared', subject: 'container/web', host: 'h2' },
    { kind: 'plan_restarted', subject: 'plan/1', host: 'h1' },
  ]);
  expect([...counts]).toEqual([
    ['h1 web', 2],
    ['h1 director', 1],
  ]);
  expect(inOrder(mapOf(hosts, containers, counts))[0]?.values.restarts).toBe(0);
});

const instances = [
  instance('a', 'storage', 'h2', 'z1'),
  instance('a', 'storage', 'h10', 'z1'),
  instance('b', 'storage', 'h3', 'z2'),
  instance('b', 'storage', 'h3', 'z2'),
  instance('c', 'storage', 'h2', 'z1'),
  instance('c', 'storage', 'h3', 'z2'),
  instance('d', 'monitoring', 'h2', 'z1'),
];

test('a deployment is concentrated when all of its several instances are in one place', () => {
  expect(concentrations(instances, 3, 2).map((one) => [one.deployment, one.what, one.name])).toEqual([
    ['a', 'zone', 'z1'],
    ['b', 'host', 'h3'],
  ]);
  expect(concentrations(instances, 1, 1), 'with one host there is no other place').toEqual([]);
});

test('a lost host takes its instances, and says what is left for them', () => {
  const order = inOrder(mapOf(hosts, containers, undefined));
  const loss = lossOf((name) => name === 'h3', hosts, instances, order);
  expect(loss.instances).toBe(3);
  expect(loss.memory).toBe(Number(6n * GIB));
  expect(loss.free, 'what h2 and h10 have').toBe(Number(11n * GIB));
  expect(loss.kinds.map((one) => [one.deployment, one.lost, one.of])).toEqual([
    ['b', 2, 2],
    ['c', 1, 2],
  ]);
});

test('a lost zone takes every host of it, others than the platform too', () => {
  const order = inOrder(mapOf(hosts, containers, undefined));
  const resting = [...hosts, host('h9', 'z2', 0, { maintenance: true })];
  const loss = lossOf((_, zone) => zone === 'z1', resting, instances, order);
  expect(loss.instances).toBe(4);
  expect(loss.others).toBe(1);
  expect(loss.free, 'a host in maintenance takes nothing').toBe(Number(2n * GIB));
});
