import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type Zone, ZoneSchema } from '../../../generated/wharf/v1/allocators_pb';
import type { Row } from '../frame';
import { radiusOf, scaleEnd, stepOf, zoneMapOf } from './zone-map';

function zone(name: string, hosts: number, at?: [latitude: number, longitude: number]): Zone {
  return create(ZoneSchema, {
    name,
    hosts,
    memoryBytes: BigInt(hosts) * 8n,
    ...(at ? { location: { latitudeDegrees: at[0], longitudeDegrees: at[1], place: 'Seoul' } } : {}),
  });
}

function row(name: string, value: number | null): Row {
  return { id: name, label: name, keys: [name], values: [value] };
}

test('a zone has the value of its row, its level, and its place where it was given one', () => {
  const zones = [zone('a', 2, [37.5, 127]), zone('b', 1)];
  const { zones: found, strangers } = zoneMapOf(zones, [row('a', 95), row('b', 10)], 'hosts', {
    warn: 70,
    bad: 90,
  });
  expect(found.map((one) => [one.zone.name, one.values[0], one.level, one.size])).toEqual([
    ['a', 95, 'bad', 2],
    ['b', 10, 'good', 1],
  ]);
  expect(found[0]?.spot).toEqual({ latitude: 37.5, longitude: 127 });
  expect(found[0]?.place).toBe('Seoul');
  expect(found[1]?.spot).toBeUndefined();
  expect(strangers).toEqual([]);
});

test('a place on the equator and on the meridian of Greenwich is a place', () => {
  const { zones } = zoneMapOf([zone('a', 1, [0, 0])], [], 'hosts', undefined);
  expect(zones[0]?.spot).toEqual({ latitude: 0, longitude: 0 });
});

test('a zone without data has no value; one without a host is not shown; unknown names are told', () => {
  const zones = [zone('a', 1), zone('gone', 0, [1, 1])];
  const found = zoneMapOf(zones, [row('elsewhere', 3), row('gone', 1)], 'memory', undefined);
  expect(found.zones.map((one) => [one.zone.name, one.values, one.level, one.size])).toEqual([
    ['a', [], undefined, 8],
  ]);
  expect(found.strangers).toEqual(['elsewhere']);
});

test('areas are as sizes are, and the smallest can still be pressed', () => {
  const most = radiusOf(100, 100);
  expect(radiusOf(25, 100)).toBeCloseTo(most / 2, 5);
  expect(radiusOf(0, 100)).toBe(radiusOf(1, 100));
  expect(radiusOf(0, 0)).toBeGreaterThan(10);
});

test('a scale goes to 100 percent, or to a round number above all values', () => {
  expect(scaleEnd([3, null], 'percent')).toBe(100);
  expect(scaleEnd([3, 42, null], 'count')).toBe(50);
  expect(scaleEnd([], 'count')).toBe(1);
});

test('steps are even, and what has no value has none', () => {
  expect([0, 19.9, 20, 55, 99, 100, 140, -3, null].map((value) => stepOf(value, 100))).toEqual([
    0, 0, 1, 2, 4, 4, 4, 0, -1,
  ]);
});
