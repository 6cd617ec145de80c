// Where panels stand: twelve columns, rows as many as it takes, nothing over another, nothing hanging
// in the air. Pure. Not here: pixels (`Grid`).
import { COLUMNS, type Place } from './document';

export interface Placed {
  id: string;
  at: Place;
}

export const MOST_HIGH = 40;

function meet(a: Place, b: Place): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

export function within(at: Place): Place {
  const w = Math.min(Math.max(Math.round(at.w), 1), COLUMNS);
  const h = Math.min(Math.max(Math.round(at.h), 1), MOST_HIGH);
  return {
    w,
    h,
    x: Math.min(Math.max(Math.round(at.x), 0), COLUMNS - w),
    y: Math.max(Math.round(at.y), 0),
  };
}

function byPlace(a: Placed, b: Placed): number {
  return a.at.y - b.at.y || a.at.x - b.at.x;
}

/** Everything as far up as it goes, in the order of rows; `first` keeps its place before others. */
export function compact<T extends Placed>(panels: readonly T[], first?: string): T[] {
  const settled: T[] = [];
  const order = [...panels].sort((a, b) => {
    if (a.at.y === b.at.y && first !== undefined && a.id !== b.id) {
      if (a.id === first) return -1;
      if (b.id === first) return 1;
    }
    return byPlace(a, b);
  });
  for (const panel of order) {
    let at = within(panel.at);
    while (settled.some((other) => meet(other.at, at))) at = { ...at, y: at.y + 1 };
    while (at.y > 0 && !settled.some((other) => meet(other.at, { ...at, y: at.y - 1 }))) {
      at = { ...at, y: at.y - 1 };
    }
    settled.push({ ...panel, at });
  }
  const place = new Map(settled.map((panel) => [panel.id, panel.at]));
  // The order of the list is the order in which panels are read: it follows their places.
  return [...panels].map((panel) => ({ ...panel, at: place.get(panel.id) ?? panel.at })).sort(byPlace);
}

/** One panel somewhere else or of another size; the others make room. */
export function put<T extends Placed>(panels: readonly T[], id: string, at: Place): T[] {
  const wanted = within(at);
  const moved = panels.map((panel) => (panel.id === id ? { ...panel, at: wanted } : panel));
  // Whoever is in the way goes below it, and pushes others the same way.
  const pushed: T[] = [];
  const mine = moved.find((panel) => panel.id === id);
  if (mine) pushed.push(mine);
  for (const panel of moved.filter((one) => one.id !== id).sort(byPlace)) {
    let place = panel.at;
    for (;;) {
      const blocking = pushed.find((other) => meet(other.at, place));
      if (!blocking) break;
      place = { ...place, y: blocking.at.y + blocking.at.h };
    }
    pushed.push({ ...panel, at: place });
  }
  return compact(pushed, id);
}

/** Below everything: the first gap of that size from the top. */
export function roomFor(panels: readonly Placed[], w: number, h: number): Place {
  for (let y = 0; ; y += 1) {
    for (let x = 0; x + w <= COLUMNS; x += 1) {
      const at = { x, y, w, h };
      if (!panels.some((panel) => meet(panel.at, at))) return at;
    }
  }
}

export type Step = 'left' | 'right' | 'up' | 'down' | 'wider' | 'narrower' | 'taller' | 'shorter';

/** What a panel's menu and the arrow keys do. */
export function step<T extends Placed>(panels: readonly T[], id: string, by: Step): T[] {
  const panel = panels.find((one) => one.id === id);
  if (!panel) return [...panels];
  const { x, y, w, h } = panel.at;
  switch (by) {
    case 'left':
      return put(panels, id, { x: x - 1, y, w, h });
    case 'right':
      return put(panels, id, { x: x + 1, y, w, h });
    case 'wider':
      return put(panels, id, { x: Math.min(x, COLUMNS - w - 1), y, w: w + 1, h });
    case 'narrower':
      return put(panels, id, { x, y, w: w - 1, h });
    case 'taller':
      return put(panels, id, { x, y, w, h: h + 1 });
    case 'shorter':
      return put(panels, id, { x, y, w, h: h - 1 });
    default:
      break;
  }
  // Up and down change places with the neighbour: one row at a time would fall back again.
  const beside = panels.filter(
    (one) =>
      one.id !== id &&
      one.at.x < x + w &&
      x < one.at.x + one.at.w &&
      (by === 'up' ? one.at.y < y : one.at.y > y),
  );
  const next = beside.sort((a, b) => (by === 'up' ? b.at.y - a.at.y : a.at.y - b.at.y))[0];
  if (!next) return [...panels];
  return by === 'up' ? put(panels, id, { x, y: next.at.y, w, h }) : put(panels, next.id, { ...next.at, y });
}

export function rowsOf(panels: readonly Placed[]): number {
  return panels.reduce((most, panel) => Math.max(most, panel.at.y + panel.at.h), 0);
}
