import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { en } from './en';
import { ko } from './ko';

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['generated', 'i18n'].includes(entry.name) ? [] : sources(path);
    const shows = !entry.name.includes('.test.') && entry.name !== 'words.ts';
    return /\.tsx?$/.test(entry.name) && shows ? [readFileSync(path, 'utf8')] : [];
  });
}

const code = sources(join(import.meta.dirname, '..')).join('\n');
const keys = Object.keys(en) as (keyof typeof en)[];
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test('both catalogues have the same words', () => {
  expect(Object.keys(ko).sort()).toEqual([...keys].sort());
});

test('no word is empty, and both languages fill in the same', () => {
  for (const key of keys) {
    expect(ko[key], `${key} in Korean`).not.toBe('');
    expect(en[key], `${key} in English`).not.toBe('');
    expect(holes(ko[key]), `what ${key} fills in`).toEqual(holes(en[key]));
  }
});

test('every word is used by a page', () => {
  const quoted = new Set([...code.matchAll(/'([\w.]+)'/g)].map(([, word]) => word));
  const unused = keys.filter((key) => !quoted.has(key));
  expect(unused, 'words that no page shows').toEqual([]);
});

test('Korean words are Korean, but for names', () => {
  const names = ['CPU', 'ID', '{kind}: {deployment}', '{n}ms'];
  const foreign = keys.filter((key) => !/[가-힣]/.test(ko[key]) && !names.includes(ko[key]));
  expect(foreign, 'words that were not translated').toEqual([]);
});
