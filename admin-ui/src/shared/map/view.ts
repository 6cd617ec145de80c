// Where a place on the earth is on the map, and what is at a point of the map. Pure.
import { type GeoPermissibleObjects, geoNaturalEarth1, geoPath } from 'd3-geo';

export interface Spot {
  latitude: number;
  longitude: number;
}

export interface View {
  /** As an SVG path has it. */
  path: (shape: GeoPermissibleObjects) => string;
  at: (spot: Spot) => [x: number, y: number];
  /** Nothing: it is beside the earth. */
  spotAt: (x: number, y: number) => Spot | undefined;
}

/** Nobody has a host in the far south, and the map is short of room. */
const ENDS = { north: 83, south: -56 };
/** A near view shows so many degrees at least: shapes of this scale say nothing about less. */
const LEAST = 36;
const MARGIN = 12;

const rounded = (degrees: number) => Math.round(degrees * 10_000) / 10_000;

/** From -180 to 180. */
function turned(longitude: number): number {
  return ((((longitude + 180) % 360) + 360) % 360) - 180;
}

/** The middle of longitudes, which go round: that of 179 and -179 is 180. */
export function middleOf(longitudes: readonly number[]): number {
  const sorted = longitudes.map(turned).sort((a, b) => a - b);
  const [first] = sorted;
  if (first === undefined) return 0;
  let widest = { gap: -1, after: first };
  for (const [at, longitude] of sorted.entries()) {
    const next = sorted[at + 1] ?? first + 360;
    if (next - longitude > widest.gap) widest = { gap: next - longitude, after: next };
  }
  return turned(widest.after + (360 - widest.gap) / 2);
}

interface Extent {
  middle: number;
  corners: [longitude: number, latitude: number][];
}

function extentOf(near: readonly Spot[]): Extent {
  const middle = middleOf(near.map((one) => one.longitude));
  const east = near.map((one) => turned(one.longitude - middle));
  const north = near.map((one) => one.latitude);
  const half = Math.max(LEAST / 2, ...east.map((one) => Math.abs(one) * 1.25));
  const [lowest, highest] = [Math.min(...north), Math.max(...north)];
  const high = Math.max(LEAST / 4, ((highest - lowest) / 2) * 1.25);
  const centre = (lowest + highest) / 2;
  const most = Math.min(half, 179);
  const limit = (latitude: number) => Math.max(-85, Math.min(85, latitude));
  return {
    middle,
    corners: [
      [-most, limit(centre - high)],
      [most, limit(centre - high)],
      [-most, limit(centre + high)],
      [most, limit(centre + high)],
      [-most, limit(centre)],
      [most, limit(centre)],
    ],
  };
}

const WHOLE: Extent = {
  middle: 0,
  corners: [
    [-179.99, 0],
    [179.99, 0],
    [0, ENDS.north],
    [0, ENDS.south],
  ],
};

/** The whole earth, or what is around some places. */
export function viewOf(width: number, height: number, near: readonly Spot[] | undefined): View {
  const { middle, corners } = near && near.length > 0 ? extentOf(near) : WHOLE;
  // A middle of zero turns nothing: the shapes are cut at the date line already.
  const projection = geoNaturalEarth1().rotate([-middle, 0]);
  const coordinates = corners.map(([east, north]): [number, number] => [turned(middle + east), north]);
  const box: [[number, number], [number, number]] = [
    [MARGIN, MARGIN],
    [Math.max(MARGIN + 1, width - MARGIN), Math.max(MARGIN + 1, height - MARGIN)],
  ];
  projection.fitExtent(box, { type: 'MultiPoint', coordinates }).clipExtent([
    [-1, -1],
    [width + 1, height + 1],
  ]);
  const path = geoPath(projection).digits(1);
  return {
    path: (shape) => path(shape) ?? '',
    at: ({ latitude, longitude }) => projection([longitude, latitude]) ?? [0, 0],
    spotAt: (x, y) => {
      const found = projection.invert?.([x, y]);
      if (!found?.every(Number.isFinite)) return undefined;
      const [longitude, latitude] = found;
      if (Math.abs(latitude) > 90) return undefined;
      // Beside the earth the projection goes on as if it went round once more.
      const again = projection([longitude, latitude]);
      const [nearX, nearY] = again ?? [Number.NaN, Number.NaN];
      if (!(Math.hypot(nearX - x, nearY - y) < 1)) return undefined;
      return { latitude: rounded(latitude), longitude: rounded(turned(longitude)) };
    },
  };
}
