import { expect, test } from 'vitest';
import { fill, languageOf, localeOf } from './language';

test('a language that was chosen is kept, else the browser says', () => {
  expect(languageOf('ko', ['en-US'])).toBe('ko');
  expect(languageOf(null, ['ko-KR', 'en'])).toBe('ko');
  expect(languageOf(null, ['fr', 'en-GB', 'ko'])).toBe('en');
  expect(languageOf('tlh', ['fr'])).toBe('en');
});

test('what is not given stays a hole, so that it is seen', () => {
  expect(fill('{a} of {b}', { a: 1 }, 'en')).toBe('1 of {b}');
  expect(fill('{a}', undefined, 'en')).toBe('{a}');
});

test('figures among words are written as the locale has them, texts as they are given', () => {
  expect(fill('Total: {n}', { n: 12_345 }, 'en-GB')).toBe('Total: 12,345');
  expect(fill('{n}개', { n: 12_345n }, 'ko')).toBe('12,345개');
  expect(fill('{n}', { n: 12_345 }, 'de')).toBe('12.345');
  expect(fill('{n}', { n: '12345' }, 'en')).toBe('12345');
});

test('dates and numbers are those of the country that the browser names', () => {
  expect(localeOf('en', ['ko-KR', 'en-GB', 'en-US'])).toBe('en-GB');
  expect(localeOf('ko', ['en-GB'])).toBe('ko');
});
