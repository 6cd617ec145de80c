import { expect, test } from 'vitest';
import { folded, type Line, lines, parts } from './compare';
import type { Panel } from './document';
import type { Content } from './draft';

const panel = (id: string, more: Partial<Panel> = {}): Panel => ({
  id,
  kind: 'line',
  title: id.toUpperCase(),
  at: { x: 0, y: 0, w: 6, h: 6 },
  index: ['logs-*'],
  metrics: [{ of: 'count' }],
  ...more,
});
const content = (panels: Panel[], title = 'Shop'): Content => ({
  title,
  description: '',
  document: { schema: 1, variables: [], panels },
});
const said = (before: Content, after: Content) =>
  parts(before, after).map((one) => `${one.what} ${one.panel ?? 'itself'}`);

test('lines that both have stay, the others are of one of the two', () => {
  expect(lines(['a', 'b', 'c'], ['a', 'x', 'c', 'd'])).toEqual([
    { in: 'both', text: 'a' },
    { in: 'before', text: 'b' },
    { in: 'after', text: 'x' },
    { in: 'both', text: 'c' },
    { in: 'after', text: 'd' },
  ]);
  expect(lines([], [])).toEqual([]);
});

test('either text can be had from the lines', () => {
  const texts = ['', 'a', 'ab', 'ba', 'abcabba', 'cbabac', 'aaaa', 'xyz'].map((text) => [...text]);
  for (const before of texts) {
    for (const after of texts) {
      const found = lines(before, after);
      const of = (side: 'before' | 'after') =>
        found.filter((line) => line.in === 'both' || line.in === side).map((line) => line.text);
      expect(of('before')).toEqual(before);
      expect(of('after')).toEqual(after);
    }
  }
});

test('of equal lines those near a difference stay, the others are counted', () => {
  const same = (from: number, to: number): Line[] =>
    Array.from({ length: to - from }, (_, at) => ({ in: 'both', text: `${from + at}` }));
  const fresh: Line = { in: 'after', text: 'new' };
  expect(folded([...same(0, 5), fresh, ...same(5, 12), fresh], 2)).toEqual([
    { leftOut: 3 },
    ...same(3, 5),
    fresh,
    ...same(5, 7),
    { leftOut: 3 },
    ...same(10, 12),
    fresh,
  ]);
  expect(folded([fresh, fresh])).toEqual([fresh, fresh]);
  expect(folded([])).toEqual([]);
});

test('panels that came, went, moved and changed are told apart', () => {
  const before = content([
    panel('gone'),
    panel('same'),
    panel('moved'),
    panel('changed', { filter: 'level:warn' }),
  ]);
  const after = content([
    panel('same'),
    panel('moved', { at: { x: 6, y: 0, w: 6, h: 6 } }),
    panel('changed', { filter: 'level:error' }),
    panel('new'),
  ]);
  expect(said(before, after)).toEqual(['moved MOVED', 'changed CHANGED', 'added NEW', 'removed GONE']);
  const changed = parts(before, after).find((one) => one.id === 'changed');
  expect(changed?.lines.filter((line) => line.in !== 'both')).toEqual([
    { in: 'before', text: '  "filter": "level:warn",' },
    { in: 'after', text: '  "filter": "level:error",' },
  ]);
  const added = parts(before, after).find((one) => one.id === 'new');
  expect(added?.lines.every((line) => line.in === 'after')).toBe(true);
});

test('words of the dashboard are told once and do not make its panels differ', () => {
  const [before, after] = [content([panel('a')], 'Shop'), content([panel('a')], 'Web shop')];
  const found = parts(before, after);
  expect(found.map((one) => [one.what, one.panel, one.id])).toEqual([['changed', undefined, '']]);
  expect(found[0]?.lines.filter((line) => line.in !== 'both').map((line) => line.text)).toEqual([
    '  "title": "Shop",',
    '  "title": "Web shop",',
  ]);
});

test('equal versions have no part that differs', () => {
  expect(parts(content([panel('a')]), content([panel('a')]))).toEqual([]);
});
