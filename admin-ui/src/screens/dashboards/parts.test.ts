import { expect, test } from 'vitest';
import { emptyDocument, type Panel } from './document';
import { differences, readDraft, sameContent } from './draft';
import { guess } from './guess';
import { levelOf, niceAbove, shaded, treeOf } from './panels/options';
import { inline, parseMarkdown, safeLink } from './parse-markdown';

const panel = (id: string, more: Partial<Panel> = {}): Panel => ({
  id,
  kind: 'markdown',
  title: id,
  at: { x: 0, y: 0, w: 6, h: 4 },
  text: id,
  ...more,
});
const content = (...panels: Panel[]) => ({
  title: 'T',
  description: '',
  document: { ...emptyDocument(), panels },
});

test('what two dashboards differ in is told by panel', () => {
  const base = content(panel('a'), panel('b'), panel('c'));
  const mine = content(
    panel('a', { text: 'other' }),
    panel('b', { at: { x: 6, y: 0, w: 6, h: 4 } }),
    panel('d'),
  );
  expect(differences(base, mine)).toEqual([
    { what: 'changed', panel: 'a' },
    { what: 'moved', panel: 'b' },
    { what: 'added', panel: 'd' },
    { what: 'removed', panel: 'c' },
  ]);
  expect(differences(base, base)).toEqual([]);
  expect(differences(base, { ...base, title: 'U' })).toEqual([{ what: 'changed', panel: undefined }]);
  expect(sameContent(base, structuredClone(base))).toBe(true);
});

test('a draft reads back, and what is torn is none', () => {
  const draft = { ...content(panel('a')), version: '3.1', at: 7 };
  expect(readDraft(JSON.stringify(draft))).toEqual(draft);
  for (const torn of [
    null,
    '',
    '{',
    '{"title":"T"}',
    JSON.stringify({ ...draft, document: { panels: 1 } }),
  ]) {
    expect(readDraft(torn), `${torn}`).toBeUndefined();
  }
});

test('tags are text, and only links to pages are links', () => {
  expect(parseMarkdown('<script>x</script>')).toEqual([
    { kind: 'paragraph', inside: [{ kind: 'text', text: '<script>x</script>' }] },
  ]);
  expect(safeLink('javascript:alert(1)')).toBeUndefined();
  expect(safeLink('//elsewhere.example')).toBeUndefined();
  expect(safeLink('/\\elsewhere.example')).toBeUndefined();
  expect(safeLink('data:text/html,x')).toBeUndefined();
  expect(safeLink('/hosts/h1?tab=logs')).toBe('/hosts/h1?tab=logs');
  expect(inline('[x](javascript:alert(1))')[0]).toEqual({ kind: 'text', text: '[x](javascript:alert(1))' });
});

test('headings, lists, code and emphasis are what they are', () => {
  const blocks = parseMarkdown(
    '# A\n\nsome **bold** and *soft* `code`\n\n- one\n- [two](/hosts)\n\n1. x\n```\n# no\n```\n---\n> q',
  );
  expect(blocks.map((one) => one.kind)).toEqual([
    'heading',
    'paragraph',
    'list',
    'list',
    'code',
    'rule',
    'quote',
  ]);
  expect(blocks[1]).toMatchObject({
    inside: [
      { text: 'some ' },
      { kind: 'strong' },
      { text: ' and ' },
      { kind: 'em' },
      { text: ' ' },
      { kind: 'code' },
    ],
  });
  expect(blocks[2]).toMatchObject({
    ordered: false,
    items: [[{ text: 'one' }], [{ kind: 'link', to: '/hosts' }]],
  });
  expect(inline('2 * 3 * 4 \\*x\\*'), 'a star alone is a star').toEqual([
    { kind: 'text', text: '2 * 3 * 4 *x*' },
  ]);
});

test('a chart of a field is what the field most likely is for', () => {
  expect(guess('docker.cpu.total.pct', 'double')).toMatchObject({
    kind: 'line',
    unit: 'percent',
    metric: { of: 'avg', scale: 100 },
  });
  expect(guess('system.network.in.bytes', 'long')).toMatchObject({ unit: 'bytes/s', metric: { of: 'rate' } });
  expect(guess('docker.network.in.bytes', 'double')).toMatchObject({
    unit: 'bytes/s',
    metric: { of: 'avg' },
  });
  expect(guess('system.memory.actual.used.bytes', 'long')).toMatchObject({
    unit: 'bytes',
    metric: { of: 'avg' },
  });
  expect(guess('event.duration', 'long')).toMatchObject({ unit: 'ms', metric: { scale: 1e-6 } });
  expect(guess('log.level', 'keyword')).toMatchObject({
    kind: 'bar',
    metric: { of: 'count' },
    split: ['log.level'],
  });
});

test('limits say how bad a value is, also where little is bad', () => {
  const limits = { warn: 80, bad: 90 };
  expect([79, 80, 90].map((value) => levelOf(value, limits))).toEqual(['good', 'warn', 'bad']);
  expect([30, 20, 10].map((value) => levelOf(value, { warn: 20, bad: 10 }))).toEqual(['good', 'warn', 'bad']);
  expect(levelOf(1, undefined)).toBeUndefined();
  expect(levelOf(null, limits)).toBeUndefined();
  expect([0, 3, 70, 1_000].map(niceAbove)).toEqual([1, 5, 100, 1_000]);
});

test('a treemap has a level per field of the split', () => {
  const row = (keys: string[], value: number) => ({
    id: keys.join(),
    label: keys.join(),
    keys,
    values: [value],
  });
  const tree = treeOf([row(['h1', 'a'], 2), row(['h1', 'b'], 3), row(['h2', 'c'], 1)], () => '#000');
  expect(tree.map((one) => [one.name, one.value, one.children?.length])).toEqual([
    ['h1', 5, 2],
    ['h2', 1, 1],
  ]);
});

test('colours that come round again are nearer to the surface', () => {
  expect(shaded('#014b8b', 0, 'light')).toBe('#014b8b');
  expect(shaded('#000000', 1, 'light')).toBe('#4d4d4d');
  expect(shaded('#ffffff', 1, 'dark')).not.toBe('#ffffff');
});
