import { expect, test } from 'vitest';
import { apart, type Circle } from './apart';

const ROOM = { width: 400, height: 200 };

function circle(id: string, x: number, y: number, radius = 20): Circle {
  return { id, x, y, radius };
}

function overlaps(circles: readonly Circle[]): string[] {
  return circles.flatMap((one, at) =>
    circles
      .slice(at + 1)
      .filter((other) => Math.hypot(one.x - other.x, one.y - other.y) < one.radius + other.radius)
      .map((other) => `${one.id}-${other.id}`),
  );
}

test('what is far enough from each other stays where it is', () => {
  const circles = [circle('a', 50, 50), circle('b', 200, 100)];
  expect(apart(circles, ROOM)).toEqual(circles);
});

test('three at one place are next to each other, near it, and the same each time', () => {
  const circles = ['a', 'b', 'c'].map((id) => circle(id, 200, 100));
  const found = apart(circles, ROOM);
  expect(overlaps(found)).toEqual([]);
  for (const one of found) expect(Math.hypot(one.x - 200, one.y - 100)).toBeLessThan(60);
  expect(apart(circles, ROOM)).toEqual(found);
});

test('at the edge all of a circle stays on the map', () => {
  const found = apart([circle('a', 0, 0), circle('b', 2, 2), circle('c', 400, 200)], ROOM);
  expect(overlaps(found)).toEqual([]);
  for (const { x, y, radius } of found) {
    expect(x).toBeGreaterThanOrEqual(radius);
    expect(y).toBeGreaterThanOrEqual(radius);
    expect(x).toBeLessThanOrEqual(ROOM.width - radius);
    expect(y).toBeLessThanOrEqual(ROOM.height - radius);
  }
});

test('more than there is room for ends, too', () => {
  const circles = Array.from({ length: 200 }, (_, at) => circle(`z${at}`, 200, 100, 30));
  const found = apart(circles, ROOM);
  expect(found).toHaveLength(200);
  expect(found.every((one) => Number.isFinite(one.x) && Number.isFinite(one.y))).toBe(true);
});
