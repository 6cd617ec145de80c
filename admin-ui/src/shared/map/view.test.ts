import { expect, test } from 'vitest';
import { middleOf, type Spot, viewOf } from './view';

const SEOUL: Spot = { latitude: 37.5665, longitude: 126.978 };
const SYDNEY: Spot = { latitude: -33.8688, longitude: 151.2093 };
const [WIDTH, HEIGHT] = [600, 320];

function isOnMap([x, y]: [number, number]): boolean {
  return x >= 0 && x <= WIDTH && y >= 0 && y <= HEIGHT;
}

test('north is up, east is right, and every town is on the map of the whole earth', () => {
  const view = viewOf(WIDTH, HEIGHT, undefined);
  const [seoul, sydney] = [view.at(SEOUL), view.at(SYDNEY)];
  expect(seoul[1]).toBeLessThan(sydney[1]);
  expect(sydney[0]).toBeGreaterThan(seoul[0]);
  for (const [latitude, longitude] of [
    [64.1, -21.9],
    [-54.8, -68.3],
    [69.6, 18.9],
    [-41.3, 174.8],
    [21.3, -157.9],
  ] as const) {
    expect(isOnMap(view.at({ latitude, longitude })), `${latitude}, ${longitude}`).toBe(true);
  }
});

test('what is pressed is the place that is there', () => {
  for (const near of [undefined, [SEOUL, SYDNEY]]) {
    const view = viewOf(WIDTH, HEIGHT, near);
    for (const spot of [SEOUL, SYDNEY]) {
      const found = view.spotAt(...view.at(spot));
      expect(found?.latitude).toBeCloseTo(spot.latitude, 3);
      expect(found?.longitude).toBeCloseTo(spot.longitude, 3);
    }
  }
});

test('beside the earth there is no place', () => {
  expect(viewOf(900, 200, undefined).spotAt(2, 2)).toBeUndefined();
});

test('a near view shows its places larger, one alone with what is around it', () => {
  const whole = viewOf(WIDTH, HEIGHT, undefined);
  const near = viewOf(WIDTH, HEIGHT, [SEOUL]);
  const busan: Spot = { latitude: 35.1796, longitude: 129.0756 };
  const span = (view: typeof near) =>
    Math.hypot(view.at(SEOUL)[0] - view.at(busan)[0], view.at(SEOUL)[1] - view.at(busan)[1]);
  expect(span(near)).toBeGreaterThan(3 * span(whole));
  const [x, y] = near.at(SEOUL);
  expect(Math.hypot(x - WIDTH / 2, y - HEIGHT / 2)).toBeLessThan(40);
});

test('places on both sides of the date line are beside each other', () => {
  const fiji: Spot = { latitude: -17.7, longitude: 178 };
  const samoa: Spot = { latitude: -13.8, longitude: -172 };
  expect(middleOf([178, -172])).toBeCloseTo(-177, 5);
  const view = viewOf(WIDTH, HEIGHT, [fiji, samoa]);
  for (const spot of [fiji, samoa]) expect(isOnMap(view.at(spot))).toBe(true);
  expect(view.at(samoa)[0]).toBeGreaterThan(view.at(fiji)[0]);
});

test('the middle of longitudes goes round', () => {
  expect(middleOf([])).toBe(0);
  expect(middleOf([10])).toBeCloseTo(10, 5);
  expect(middleOf([-10, 30])).toBeCloseTo(10, 5);
  expect(Math.abs(middleOf([179, -179]))).toBeCloseTo(180, 5);
});
