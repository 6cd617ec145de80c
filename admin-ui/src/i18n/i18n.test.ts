import { expect, test } from 'vitest';
import { fill, languageOf, localeOf } from './language';

test('a language that was chosen is kept, else the browser says', () => {
  expect(languageOf('ko', ['en-US'])).toBe('ko');
  expect(languageOf(null, ['ko-KR', 'en'])).toBe('ko');
  expect(languageOf(null, ['fr', 'en-GB', 'ko'])).toBe('en');
  expect(languageOf('tlh', ['fr'])).toBe('en');
});

test('what is not given stays a hole, so that it is seen', () => {
  expect(fill('{a} of {b}', { a: 1 })).toBe('1 of {b}');
  expect(fill('{a}', undefined)).toBe('{a}');
});

test('dates and numbers are those of the country that the browser names', () => {
  expect(localeOf('en', ['ko-KR', 'en-GB', 'en-US'])).toBe('en-GB');
  expect(localeOf('ko', ['en-GB'])).toBe('ko');
});
