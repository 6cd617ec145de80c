// A text that is being written, beside the value that is read from it: what the value does not hold (the
// comma after a name, the point before a digit) stays in sight.
import { useState } from 'react';

/** `text` while it says `value`, else how `value` is written. */
export function ownText<T>(
  text: string,
  value: T,
  read: (text: string) => T,
  write: (value: T) => string,
): string {
  return JSON.stringify(read(text)) === JSON.stringify(value) ? text : write(value);
}

export function useOwnText<T>(
  value: T,
  read: (text: string) => T,
  write: (value: T) => string,
): [text: string, take: (text: string) => T] {
  const [text, setText] = useState(() => write(value));
  const take = (next: string) => {
    setText(next);
    return read(next);
  };
  return [ownText(text, value, read, write), take];
}

/** What is told apart by commas. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
}

export function listText(list: readonly string[]): string {
  return list.join(', ');
}
