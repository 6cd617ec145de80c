import { beforeEach, expect, test } from 'vitest';
import { colourOf, faint, forgetColours, looksOf } from './colours';

const ids = (count: number) => Array.from({ length: count }, (_, at) => `container-${at}`);

beforeEach(forgetColours);

test('a thing keeps its colour on every chart and when others are filtered out', () => {
  const looks = looksOf(ids(8), 'light');
  for (const id of ids(8)) {
    expect(colourOf(id, 'light'), id).toBe(looks.get(id)?.colour);
    expect(looksOf([id], 'light').get(id), id).toEqual(looks.get(id));
  }
});

test('no two series of one chart look alike, and from the seventh on there are dashes', () => {
  const looks = [...looksOf(ids(24), 'dark').values()];
  expect(new Set(looks.map(({ colour, dash }) => `${colour} ${dash}`)).size).toBe(24);
  expect(looks.filter(({ dash }) => dash.length === 0)).toHaveLength(6);
});

test('the order of the series does not matter', () => {
  const one = looksOf(ids(5), 'light');
  forgetColours();
  expect(looksOf(ids(5).reverse(), 'light')).toEqual(one);
});

test('an error is red and a warning amber, and neither is the colour of what is said besides', () => {
  const looks = looksOf(['debug', 'error', 'info', 'warn'], 'dark');
  const colours = ['error', 'warn', 'info', 'debug'].map((level) => looks.get(level)?.colour);
  expect(colours).toEqual(['#f14432', '#f5b62d', '#2e71ff', '#66d6f5']);
});

test('a colour is made faint', () => {
  expect(faint('#014b8b', 20)).toBe('#014b8b33');
  expect(faint('#fff', 100)).toBe('#ffffffff');
  expect(faint('red', 20)).toBe('red');
});
