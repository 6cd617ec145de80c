import { expect, test } from 'vitest';
import { ServiceKind } from '../../generated/wharf/monitor/v1/services_pb';
import { erring, piles } from './conclusions';

function service(name: string, errors: bigint, requests: bigint, hosts = ['h1']) {
  return {
    name,
    kind: ServiceKind.DEPLOYMENT,
    errors,
    requests,
    errorRatio: Number(errors) / Number(requests),
    hosts,
  };
}

test('services that answer errors are found, the worst first, a stray error is none', () => {
  const found = erring(
    [service('a', 20n, 1_000n), service('b', 50n, 100n), service('c', 2n, 4n), service('d', 3n, 900n)],
    [],
  );
  expect(found.map(({ name, share }) => [name, share])).toEqual([
    ['b', 0.5],
    ['a', 0.02],
  ]);
});

test('whether the hosts of such a service are healthy is told', () => {
  const problems = [
    { subjectKind: 'allocator', subject: 'h2' },
    { subjectKind: 'deployment', subject: 'h1' },
  ];
  const found = erring(
    [service('a', 50n, 100n), service('b', 40n, 100n, ['h1', 'h2']), service('c', 30n, 100n, [])],
    problems,
  );
  expect(found.map(({ name, hostsHealthy }) => [name, hostsHealthy])).toEqual([
    ['a', true],
    ['b', false],
    ['c', false],
  ]);
});

test('a service whose requests are not measured answers no errors', () => {
  expect(erring([{ name: 'a', kind: ServiceKind.APPLICATION, hosts: [] }], [])).toEqual([]);
});

const zone = (name: string, hosts: number, containers: number) => ({ name, hosts, containers });
const host = (name: string, of: string, containers: number) => ({ host: name, zone: of, containers });

test('a host with far more containers than the others is a pile, its zone is not told again', () => {
  expect(piles([zone('z1', 1, 30), zone('z2', 2, 16)], [host('h1', 'z1', 30), host('h2', 'z2', 9)])).toEqual([
    { what: 'host', name: 'h1', containers: 30, total: 46, others: 8 },
  ]);
});

test('a zone is a pile by what each of its hosts has', () => {
  const zones = [zone('z1', 3, 60), zone('z2', 1, 8), zone('z3', 1, 8)];
  expect(piles(zones, [host('h1', 'z1', 20)])).toEqual([
    { what: 'zone', name: 'z1', containers: 60, total: 76, others: 24 },
  ]);
  expect(piles([zone('z1', 9, 90), zone('z2', 1, 10)], [host('h1', 'z1', 10)])).toEqual([]);
});

test('few containers, one host, or no host at all are no pile', () => {
  expect(piles([zone('z1', 1, 5), zone('z2', 1, 1)], [host('h1', 'z1', 5)])).toEqual([]);
  expect(piles([zone('z1', 1, 50)], [host('h1', 'z1', 50)])).toEqual([]);
  expect(piles([], [])).toEqual([]);
});

test('hosts are not called healthy when one is lost or when not all problems are known', () => {
  const lost = [{ subjectKind: 'lost_host', subject: 'h1' }];
  expect(erring([service('a', 50n, 100n)], lost)[0]?.hostsHealthy).toBe(false);
  const other = [{ subjectKind: 'plan', subject: 'p1' }];
  expect(erring([service('a', 50n, 100n)], other, 1)[0]?.hostsHealthy).toBe(true);
  expect(erring([service('a', 50n, 100n)], other, 2)[0]?.hostsHealthy).toBe(false);
});
