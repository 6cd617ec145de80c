import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytes, number } from '../../format/format';
import { catalogues, type MessageKey } from '../../i18n/i18n';
import { fill, type Language, type Params } from '../../i18n/language';
import { FIELDS, fieldText, PARTS, valueText } from './change-text';

const root = join(import.meta.dirname, '../../../..');
const words = (language: Language) => (key: MessageKey, params?: Params) =>
  fill(catalogues[language][key], params, language);
const format = {
  bytes: (value: bigint | number) => bytes(value, 'en'),
  number: (value: bigint | number, digits?: number) => number(value, 'en', digits),
};
const value = (field: string, text: string, language: Language = 'en') =>
  valueText(field, text, words(language), format);

test('every field that directors tell of a change has words, and there is no other', () => {
  const source = readFileSync(join(root, 'director/core/src/plan/diff.rs'), 'utf8');
  const body = (begin: string) => {
    const from = source.indexOf(begin);
    return source.slice(from, source.indexOf('\n}\n', from));
  };
  const parts = [...body('fn parts(').matchAll(/\(\s*"([a-z_]+)"/g)].map(([, name]) => name ?? '');
  const fields = [...body('pub fn between(').matchAll(/[(]\s*"([a-z_]+)"/g)].map(([, name]) => name ?? '');
  expect(Object.keys(PARTS).sort()).toEqual(parts.sort());
  expect(Object.keys(FIELDS).sort()).toEqual(fields.sort());
});

test('a field is told in words in both languages, one that is not known by its name', () => {
  expect(fieldText('storage.memory_bytes', words('en'))).toBe('Memory of storage');
  expect(fieldText('storage.memory_bytes', words('ko'))).toBe('스토리지 메모리');
  expect(fieldText('terminated', words('ko'))).toBe('종료됨');
  expect(fieldText('cache.memory_bytes', words('en'))).toBe('Memory of cache');
  expect(fieldText('storage.colour', words('en'))).toBe('storage.colour');
});

test('values are told with their units, and what is not there as nothing', () => {
  expect(value('storage.memory_bytes', '1610612736')).toBe('1.5 GiB');
  expect(value('storage.cpu_millis', '1500')).toBe('1.5');
  expect(value('monitoring.zone_count', '2')).toBe('2');
  expect(value('terminated', 'true', 'ko')).toBe('예');
  expect(value('password', 'another')).toBe('another one');
  expect(value('restarted', 'storage-0, storage-1')).toBe('storage-0, storage-1');
  expect(value('storage.memory_bytes', '')).toBe('–');
});
