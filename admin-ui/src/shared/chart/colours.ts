// Colours of series, bound to what they are of: the same container has the same colour on every chart
// and when others are filtered out. Six colours that people with any colour vision tell apart; from the
// seventh on the same with dashes.

export type Look = 'light' | 'dark';

// Tested for contrast on the surface and for distance under three kinds of colour blindness.
const PALETTE: Record<Look, readonly string[]> = {
  light: ['#014b8b', '#a58443', '#207e68', '#d6539a', '#2799de', '#873c2c'],
  dark: ['#66d6f5', '#f5b62d', '#1ba876', '#ad6095', '#2e71ff', '#f14432'],
};

/** What the values of an earlier span are drawn with. */
export const PREVIOUS: Record<Look, string> = { light: '#7b838c', dark: '#8b95a1' };

/** On, off, … in pixels. */
const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
const SLOTS = PALETTE.light.length * DASHES.length;

export interface SeriesLook {
  /** 0 to 23. */
  slot: number;
  colour: string;
  dash: readonly number[];
}

const slots = new Map<string, number>();

/** Where levels begin to look for their colour, so that no harmless one is red and no bad one blue. */
const LEVELS = new Map([
  ['emergency', 5],
  ['alert', 5],
  ['critical', 5],
  ['fatal', 5],
  ['error', 5],
  ['warn', 1],
  ['warning', 1],
  ['notice', 0],
  ['info', 4],
  ['debug', 0],
  ['trace', 2],
]);

// FNV-1a.
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash;
}

export function lookNow(): Look {
  const dark =
    typeof document !== 'undefined' && document.documentElement.classList.contains('pf-v6-theme-dark');
  return dark ? 'dark' : 'light';
}

function slotOf(id: string): number {
  const known = slots.get(id);
  if (known !== undefined) return known;
  const slot = LEVELS.get(id.toLowerCase()) ?? hashOf(id) % PALETTE.light.length;
  slots.set(id, slot);
  return slot;
}

function seen(slot: number, look: Look): SeriesLook {
  return {
    slot,
    colour: PALETTE[look][slot % PALETTE[look].length] ?? '',
    dash: DASHES[Math.floor(slot / PALETTE[look].length)] ?? [],
  };
}

/** One of the six, for those who give out colours themselves. */
export function colourAt(slot: number, look: Look): string {
  return PALETTE[look][slot % PALETTE[look].length] ?? '';
}

/** The colour of one thing, in the theme that is shown. */
export function colourOf(id: string, look: Look = lookNow()): string {
  return seen(slotOf(id), look).colour;
}

/**
 * The looks of the series of one chart. Two that would look alike are told apart, and stay as they are
 * then: on this and on every other chart.
 */
export function looksOf(ids: readonly string[], look: Look = lookNow()): Map<string, SeriesLook> {
  const taken = new Set<number>();
  const looks = new Map<string, SeriesLook>();
  // The order does not depend on values, which change.
  for (const id of [...new Set(ids)].sort()) {
    let slot = slotOf(id);
    for (let tries = 0; taken.has(slot) && tries < SLOTS; tries += 1) slot = (slot + 1) % SLOTS;
    taken.add(slot);
    slots.set(id, slot);
    looks.set(id, seen(slot, look));
  }
  return looks;
}

/** For tests: nothing has a colour yet. */
export function forgetColours(): void {
  slots.clear();
}

/** The same colour with so many percent of it; canvases take no mixtures. */
export function faint(colour: string, percent: number): string {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(colour);
  const whole = short
    ? `#${short
        .slice(1)
        .map((digit) => digit + digit)
        .join('')}`
    : colour;
  if (!/^#[0-9a-f]{6}$/i.test(whole)) return colour;
  return `${whole}${Math.round((percent / 100) * 255)
    .toString(16)
    .padStart(2, '0')}`;
}
