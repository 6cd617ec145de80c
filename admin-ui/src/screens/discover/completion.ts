// What is being written at a place of the query text: the name of a field, or a value of one. Pure.

export interface Written {
  kind: 'field' | 'value';
  /** Where what is written begins. */
  from: number;
  text: string;
  /** Of which field the value is. */
  field: string;
  quoted: boolean;
  /** Whether AND, OR, NOT may stand here. */
  joins: boolean;
}

const PLAIN = /\\(.)/gs;

/** Nothing within ranges and patterns. */
export function writtenAt(text: string, position: number): Written | undefined {
  const groups: string[] = [];
  let field = '';
  let start = 0;
  let words = 0;
  const outer = () => groups.at(-1) ?? '';
  for (let at = 0; at < position; at += 1) {
    const letter = text[at] ?? '';
    if (letter === '\\') at += 1;
    else if (letter === '"') {
      const end = closing(text, at + 1, '"');
      if (end === -1 || end >= position) {
        const of = field || outer();
        if (!of) return undefined;
        const inside = text.slice(at + 1, position);
        return {
          kind: 'value',
          from: at + 1,
          text: inside.replace(PLAIN, '$1'),
          field: of,
          quoted: true,
          joins: false,
        };
      }
      at = end;
      words += 1;
    } else if (letter === '[' || letter === '{') {
      const end = Math.max(closing(text, at + 1, ']'), closing(text, at + 1, '}'));
      if (end === -1 || end >= position) return undefined;
      at = end;
    } else if (letter === '(') {
      groups.push(field || outer());
      field = '';
      start = at + 1;
    } else if (letter === ')') {
      groups.pop();
      field = '';
      start = at + 1;
      words += 1;
    } else if (/\s/.test(letter)) {
      if (at > start) words += 1;
      field = '';
      start = at + 1;
    } else if (letter === ':' && at > start) {
      field = text.slice(start, at).replace(PLAIN, '$1');
      start = at + 1;
    } else if (at === start && '+-!'.includes(letter)) {
      start = at + 1;
    }
  }
  const of = field || outer();
  const written = text.slice(start, position);
  if (of && /^[<>/]/.test(written)) return undefined;
  return {
    kind: of ? 'value' : 'field',
    from: start,
    text: written.replace(PLAIN, '$1'),
    field: of,
    quoted: false,
    joins: !field && words > 0,
  };
}

function closing(text: string, from: number, mark: string): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === mark) return at;
  }
  return -1;
}
