import { expect, test } from 'vitest';
import { listOf, listText, ownText } from './own-text';

const shown = (text: string, list: string[]) => ownText(text, list, listOf, listText);

test('a comma stays in sight while the next name is not there yet', () => {
  expect(listOf('a, ')).toEqual(['a']);
  expect(shown('a, ', ['a'])).toBe('a, ');
  expect(shown('a,b', ['a', 'b'])).toBe('a,b');
});

test('a value that comes from elsewhere takes the place of the text', () => {
  expect(shown('a, ', ['metrics-docker.cpu-*'])).toBe('metrics-docker.cpu-*');
  expect(shown('a', [])).toBe('');
});
