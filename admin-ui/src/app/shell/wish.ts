// What is written into the palette as something to do with a thing: `restart orders`, `orders 재시작`.
// Pure.

export interface Verb<Act> {
  act: Act;
  /** As the button says it. */
  label: string;
}

export interface Wish<Act> {
  act: Act;
  /** What it is to be done with, as far as it is written. */
  name: string;
}

/** Fewer letters begin too many words. */
const FEWEST = 2;

function begins(word: string, written: string): boolean {
  return written.length >= Math.min(FEWEST, word.length) && word.startsWith(written);
}

/** How many of the first words are the verb's. */
function leading(words: readonly string[], verb: readonly string[]): number {
  let count = 0;
  while (count < words.length && count < verb.length && begins(verb[count] ?? '', words[count] ?? '')) {
    count += 1;
  }
  return count;
}

/** The same of the last ones: there the verb begins with its first word, too. */
function trailing(words: readonly string[], verb: readonly string[]): number {
  for (let count = Math.min(words.length - 1, verb.length); count > 0; count -= 1) {
    if (leading(words.slice(-count), verb) === count) return count;
  }
  return 0;
}

/** Every verb that the text may mean, each with the rest of the text. */
export function wishesOf<Act>(text: string, verbs: readonly Verb<Act>[]): Wish<Act>[] {
  const written = text.trim().split(/\s+/).filter(Boolean);
  const lower = written.map((word) => word.toLowerCase());
  return verbs.flatMap(({ act, label }) => {
    const verb = label.toLowerCase().split(/\s+/);
    const first = leading(lower, verb);
    if (first > 0) return [{ act, name: written.slice(first).join(' ') }];
    const last = trailing(lower, verb);
    return last > 0 ? [{ act, name: written.slice(0, -last).join(' ') }] : [];
  });
}
