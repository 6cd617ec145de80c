import { expect, test } from 'vitest';
import licences from '../../generated/licences.json';
import crates from './crates.json';
import { found, placed } from './licences';

const part = (name: string, version = '1.0.0', licence = 'MIT') => ({
  name,
  version,
  licence,
  repository: `https://example.org/${name}`,
});
const parts = placed({
  binary: [part('tokio'), part('syn', '10.0.0'), part('syn', '2.0.0')],
  pages: [part('react'), part('uplot', '1.6.0', 'Apache-2.0 OR MIT')],
});
const names = (all: { name: string }[]) => all.map((one) => one.name);

test('what is in the pages and in the binary is one list, in the order of names and versions', () => {
  expect(parts.map(({ name, version, place }) => `${place} ${name} ${version}`)).toEqual([
    'pages react 1.0.0',
    'binary syn 2.0.0',
    'binary syn 10.0.0',
    'binary tokio 1.0.0',
    'pages uplot 1.6.0',
  ]);
});

test('a part is found by all words of its name, licence or repository, in whatever case', () => {
  expect(names(found(parts, 'apache', undefined))).toEqual(['uplot']);
  expect(names(found(parts, ' MIT  example.org/R', undefined))).toEqual(['react']);
  expect(names(found(parts, 'react apache', undefined))).toEqual([]);
  expect(found(parts, '', undefined)).toHaveLength(5);
});

test('of one place are those alone', () => {
  expect(names(found(parts, '', 'pages'))).toEqual(['react', 'uplot']);
  expect(names(found(parts, 'syn', 'binary'))).toEqual(['syn', 'syn']);
});

test('every crate and every package has a version and a licence, and is told once', () => {
  const all = placed({ binary: crates, pages: licences });
  expect(crates.length, 'the crates are listed').toBeGreaterThan(100);
  expect(licences.length, 'the packages are listed').toBeGreaterThan(30);
  expect(all.filter((one) => !one.name || !one.version || !one.licence)).toEqual([]);
  const keys = all.map(({ place, name, version }) => `${place} ${name} ${version}`);
  expect(new Set(keys).size).toBe(keys.length);
});

test('Wharfinger itself is none of the crates', () => {
  expect(crates.filter((one) => /^wharf(-|$)/.test(one.name))).toEqual([]);
  expect(names(crates)).toContain('tokio');
});
