// Zones with the values of a panel → circles on a map: which are where, how large, of which colour, and
// which have no place. Pure.
import type { Zone } from '../../../generated/wharf/v1/allocators_pb';
import type { Unit } from '../../../shared/chart/types';
import type { Limits, Sized } from '../document';
import type { Row } from '../frame';
import { type Level, levelOf, niceAbove, numberOf } from './options';

export interface MapZone {
  zone: Zone;
  /** Nothing: nobody said where it is. */
  spot: { latitude: number; longitude: number } | undefined;
  place: string;
  /** What its circle is as large as. */
  size: number;
  values: (number | null)[];
  level: Level | undefined;
}

export interface ZoneMap {
  zones: MapZone[];
  /** Names that the data has and no host of the platform. */
  strangers: string[];
}

function sizeOf(zone: Zone, sized: Sized): number {
  return sized === 'memory' ? Number(zone.memoryBytes) : zone.hosts;
}

/** Zones without a host have nothing to show. */
export function zoneMapOf(
  zones: readonly Zone[],
  rows: readonly Row[],
  sized: Sized,
  limits: Limits | undefined,
): ZoneMap {
  const values = new Map(rows.map((row) => [row.keys[0] ?? '', row.values.map(numberOf)]));
  const shown = zones
    .filter((zone) => zone.hosts > 0)
    .map((zone): MapZone => {
      const { latitudeDegrees: latitude, longitudeDegrees: longitude } = zone.location ?? {};
      const own = values.get(zone.name) ?? [];
      return {
        zone,
        spot: latitude === undefined || longitude === undefined ? undefined : { latitude, longitude },
        place: zone.location?.place ?? '',
        size: sizeOf(zone, sized),
        values: own,
        level: levelOf(own[0] ?? null, limits),
      };
    });
  const known = new Set(zones.map((zone) => zone.name));
  return { zones: shown, strangers: [...values.keys()].filter((name) => !known.has(name)) };
}

const SMALLEST = 11;
const LARGEST = 26;

/** Areas are as sizes are, but none is too small for a finger. */
export function radiusOf(size: number, most: number): number {
  if (most <= 0) return SMALLEST;
  return Math.max(SMALLEST, LARGEST * Math.sqrt(Math.max(0, size) / most));
}

export const STEPS = 5;

/** Where the scale of colours ends. */
export function scaleEnd(values: readonly (number | null)[], unit: Unit): number {
  if (unit === 'percent') return 100;
  return niceAbove(Math.max(0, ...values.filter((value) => value !== null)));
}

/** 0 to 4; nothing is known of what has no value. */
export function stepOf(value: number | null, end: number): number {
  if (value === null) return -1;
  return Math.max(0, Math.min(STEPS - 1, Math.floor((value / end) * STEPS)));
}
