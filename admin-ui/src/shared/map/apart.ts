// Circles whose places are nearer to each other than they are large are moved apart, so that each can be
// seen and pressed. Pure, and the same for the same circles.

export interface Circle {
  id: string;
  x: number;
  y: number;
  radius: number;
}

export interface Room {
  width: number;
  height: number;
}

const ROUNDS = 200;
/** Looks at all circles in all rounds: a page that shows very many is not held up by them. */
const MOST_LOOKS = 6_000;
const GAP = 2;
/** Those at one place leave it in different directions, none of them opposite to another. */
const GOLDEN = 2.399_963;

function within({ width, height }: Room, { x, y, radius }: Circle): { x: number; y: number } {
  const held = (value: number, most: number) =>
    most < 2 * radius ? most / 2 : Math.max(radius, Math.min(most - radius, value));
  return { x: held(x, width), y: held(y, height) };
}

export function apart(circles: readonly Circle[], room: Room): Circle[] {
  const moved = circles.map((one) => ({ ...one, ...within(room, one) }));
  const rounds = Math.min(ROUNDS, Math.ceil(MOST_LOOKS / Math.max(1, moved.length)));
  for (let round = 0; round < rounds; round += 1) {
    let still = true;
    for (const [at, one] of moved.entries()) {
      for (const [more, other] of moved.slice(at + 1).entries()) {
        const least = one.radius + other.radius + GAP;
        const [dx, dy] = [other.x - one.x, other.y - one.y];
        const far = Math.hypot(dx, dy);
        if (far >= least - 0.01) continue;
        still = false;
        const angle = far < 0.01 ? GOLDEN * (at + more + 1) : Math.atan2(dy, dx);
        const push = (least - far) / 2;
        const [px, py] = [Math.cos(angle) * push, Math.sin(angle) * push];
        Object.assign(one, within(room, { ...one, x: one.x - px, y: one.y - py }));
        Object.assign(other, within(room, { ...other, x: other.x + px, y: other.y + py }));
      }
    }
    if (still) break;
  }
  return moved;
}
