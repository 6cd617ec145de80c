// Words and input of a shell's command as they are typed. Pure.

/** The text as one word, whatever is in it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The text as one word, bare where nothing in it means anything to a shell. */
export function word(text: string): string {
  return /^[\w.:/@%+,-]+$/.test(text) ? text : quoted(text);
}

/** The command with its standard input, which the shell takes as it is. */
export function fromInput(command: string, input: string): string {
  let end = 'END';
  while (input.split('\n').includes(end)) end += '_';
  return `${command} <<'${end}'\n${input.replace(/\n?$/, '\n')}${end}`;
}
