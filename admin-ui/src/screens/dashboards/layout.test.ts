import { expect, test } from 'vitest';
import { COLUMNS, type Place } from './document';
import { compact, type Placed, put, roomFor, type Step, step } from './layout';

const at = (id: string, x: number, y: number, w: number, h: number): Placed => ({ id, at: { x, y, w, h } });
const places = (panels: readonly Placed[]) =>
  Object.fromEntries(panels.map(({ id, at: { x, y, w, h } }) => [id, `${x},${y} ${w}x${h}`]));

function sound(panels: readonly Placed[]): void {
  const over = panels.filter(
    ({ at: a }, index) =>
      !(a.x >= 0 && a.x + a.w <= COLUMNS && a.y >= 0) ||
      panels
        .slice(index + 1)
        .some(({ at: b }) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h),
  );
  expect(over, 'panels that leave the columns or lie over another').toEqual([]);
}

test('gaps close upwards, and the list is in the order of reading', () => {
  const board = compact([at('c', 0, 30, 12, 2), at('b', 6, 4, 6, 4), at('a', 0, 4, 6, 4)]);
  expect(places(board)).toEqual({ a: '0,0 6x4', b: '6,0 6x4', c: '0,4 12x2' });
  expect(board.map((panel) => panel.id)).toEqual(['a', 'b', 'c']);
});

test('whoever is in the way makes room below', () => {
  const board = [at('a', 0, 0, 6, 4), at('b', 6, 0, 6, 4), at('c', 0, 4, 12, 2)];
  expect(places(put(board, 'c', { x: 0, y: 0, w: 12, h: 2 }))).toEqual({
    a: '0,2 6x4',
    b: '6,2 6x4',
    c: '0,0 12x2',
  });
  expect(places(put(board, 'a', { x: 0, y: 0, w: 12, h: 4 })).b).toBe('6,4 6x4');
});

test('a step up and a step down change places with the neighbour', () => {
  const board = [at('a', 0, 0, 6, 4), at('b', 0, 4, 6, 2)];
  const down = step(board, 'a', 'down');
  expect(places(down)).toEqual({ b: '0,0 6x2', a: '0,2 6x4' });
  expect(places(step(down, 'a', 'up'))).toEqual({ a: '0,0 6x4', b: '0,4 6x2' });
});

test('a panel at the right edge becomes wider to the left', () => {
  expect(places(step([at('a', 6, 0, 6, 4)], 'a', 'wider'))).toEqual({ a: '5,0 7x4' });
  expect(places(step([at('a', 0, 0, 12, 4)], 'a', 'wider'))).toEqual({ a: '0,0 12x4' });
});

test('a new panel goes where there is room', () => {
  expect(roomFor([at('a', 0, 0, 6, 4)], 6, 4)).toEqual({ x: 6, y: 0, w: 6, h: 4 });
  expect(roomFor([at('a', 0, 0, 8, 4)], 6, 4)).toEqual({ x: 0, y: 4, w: 6, h: 4 });
});

test('whatever is done to whichever board, no panel is over another', () => {
  let seed = 7;
  const below = (most: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * most);
  };
  const steps: Step[] = ['left', 'right', 'up', 'down', 'wider', 'narrower', 'taller', 'shorter'];
  for (let round = 0; round < 200; round += 1) {
    let board = Array.from({ length: 2 + below(10) }, (_, id) =>
      at(`${id}`, below(12), below(20), 1 + below(12), 1 + below(8)),
    );
    board = compact(board);
    sound(board);
    for (let turn = 0; turn < 10; turn += 1) {
      const id = `${below(board.length)}`;
      const wanted: Place = { x: below(14) - 1, y: below(20) - 1, w: below(14), h: below(9) };
      board = below(2) ? put(board, id, wanted) : step(board, id, steps[below(steps.length)] ?? 'up');
      sound(board);
    }
  }
});
