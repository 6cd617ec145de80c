import { expect, test } from 'vitest';
import { linesOf } from './lines';

const own = (row: { id: string }) => row.id;
const rows = [
  { id: '1', of: 'shop' },
  { id: '2', of: 'shop' },
  { id: '3', of: '' },
];

test('without groups there are the rows alone', () => {
  expect(linesOf(rows, own, undefined).map((line) => line.key)).toEqual(['1', '2', '3']);
});

test('rows that belong together stand under one heading that knows them', () => {
  const lines = linesOf(rows, own, (row) => row.of);
  expect(lines.map((line) => (line.kind === 'heading' ? `# ${line.name}` : line.key))).toEqual([
    '# shop',
    '1',
    '2',
    '# ',
    '3',
  ]);
  const counted = lines.flatMap((line) => (line.kind === 'heading' ? [line.of.length] : []));
  expect(counted).toEqual([2, 1]);
});

test('every line has a key of its own, and thousands of groups are divided at once', () => {
  const many = Array.from({ length: 20_000 }, (_, n) => ({ id: `${n}`, of: `group ${n >> 1}` }));
  const lines = linesOf(many, own, (row) => row.of);
  expect(lines.length).toBe(30_000);
  expect(new Set(lines.map((line) => line.key)).size).toBe(30_000);
});

test('what is in a row that is open stands under it, before the next row', () => {
  const lines = linesOf(rows, own, undefined, (row) => row.id === '2');
  expect(lines.map((line) => `${line.kind} ${line.key}`)).toEqual([
    'row 1',
    'row 2',
    'inside below 2',
    'row 3',
  ]);
});
