import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { looksOf, PREVIOUS } from '../shared/chart/colours';

const sheet = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8');

/** The colours that rules of exactly this selector set. */
function coloursOf(selector: string): Record<string, string> {
  const rules = [...sheet.matchAll(/([^{}]+)\{([^}]*)\}/g)].filter(
    ([, head = '']) => head.replace(/\/\*.*?\*\//gs, '').trim() === selector,
  );
  return Object.fromEntries(
    rules.flatMap(([, , body = '']) =>
      [...body.matchAll(/(--[\w-]+):\s*(#[0-9a-f]{3,6});/g)].map(([, name = '', value = '']) => [
        name,
        value,
      ]),
    ),
  );
}

const light = coloursOf(':root');
const contrast = '.pf-v6-theme-high-contrast';
const high = coloursOf(`:root${contrast}`);
const highDark = coloursOf(`:root.pf-v6-theme-dark${contrast}`);

function channels(colour: string): number[] {
  const digits = colour.slice(1);
  const whole = digits.length === 3 ? [...digits].map((one) => one + one).join('') : digits;
  return [0, 2, 4].map((at) => Number.parseInt(whole.slice(at, at + 2), 16) / 255);
}

/** As WCAG 2 has it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = channels(colour).map((one) =>
    one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const TEXTS = ['--text', '--text-quiet', '--accent', '--good', '--warn', '--bad', '--note'];
const GROUNDS = ['--surface', '--surface-raised', '--backdrop', '--row-hover', '--accent-soft'];
const SOFT = [
  ['--good', '--good-soft'],
  ['--warn', '--warn-soft'],
  ['--bad', '--bad-soft'],
  ['--note', '--note-soft'],
];
const LINES = ['--hairline', '--hairline-strong', '--bar', '--accent'];

test('the ratio is that of WCAG', () => {
  expect(ratio('#000', '#fff')).toBe(21);
  expect(ratio('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});

for (const [name, own, look] of [
  ['light', high, 'light'],
  ['dark', highDark, 'dark'],
] as const) {
  describe(`${name} high contrast`, () => {
    const at = (token: string) => {
      const value = own[token];
      expect(value, `${token} has a value of its own`).toBeDefined();
      return value ?? '';
    };

    test('every colour of the sheet has a value', () => {
      expect(Object.keys(own).sort()).toEqual(Object.keys(light).sort());
    });

    test('text has at least 7 : 1 on everything that it stands on', () => {
      for (const [text, ground] of [
        ...TEXTS.flatMap((one) => GROUNDS.map((other) => [one, other] as const)),
        ...SOFT.flatMap(([one = '', soft = '']) => [[one, soft] as const, ['--text', soft] as const]),
      ]) {
        expect(ratio(at(text), at(ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(7);
      }
    });

    test('lines and marks have at least 3 : 1 on what they stand on', () => {
      for (const line of LINES) {
        for (const ground of ['--surface', '--surface-raised', '--backdrop']) {
          expect(ratio(at(line), at(ground)), `${line} on ${ground}`).toBeGreaterThanOrEqual(3);
        }
      }
      for (const bar of ['--bar', '--warn', '--bad']) {
        expect(ratio(at(bar), at('--bar-track')), `${bar} in its track`).toBeGreaterThanOrEqual(3);
      }
    });

    test('lines of charts have at least 3 : 1 on the surface', () => {
      const series = ['a', 'b', 'c', 'd', 'e', 'f'];
      const colours = [...looksOf(series, look).values()].map((one) => one.colour);
      expect(new Set(colours).size, 'all six colours').toBe(6);
      for (const colour of [...colours, PREVIOUS[look]]) {
        expect(ratio(colour, at('--surface')), colour).toBeGreaterThanOrEqual(3);
      }
    });
  });
}
