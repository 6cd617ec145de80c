import { expect, test } from 'vitest';
import { fromInput, quoted, word } from './shell';

test('a word with a quote stays one word', () => {
  expect(quoted("it's")).toBe(`'it'\\''s'`);
});

test('what means something to a shell is quoted, and nothing else is', () => {
  for (const bare of ['web', '2026-01-31T12:00:00.000Z', 'host-memory_2', '10m'])
    expect(word(bare)).toBe(bare);
  for (const one of ['', 'name desc', '$HOME', 'a;b', '*', '~', 'a=b', 'é'])
    expect(word(one)).toBe(`'${one}'`);
});

test('no line of the input ends it', () => {
  expect(fromInput('wharf x', 'a\nEND\nb')).toBe("wharf x <<'END_'\na\nEND\nb\nEND_");
});

test('an input that ends with a line gets no empty one', () => {
  expect(fromInput('c', 'a\n')).toBe("c <<'END'\na\nEND");
});
