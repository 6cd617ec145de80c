// The part of Markdown that a text panel takes: headings, paragraphs, lists, quotes, code, rules,
// emphasis, links. Tags are text. Pure: a tree that React draws, no markup is ever made.

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'em'; inside: Inline[] }
  | { kind: 'link'; to: string; inside: Inline[] };

export type Block =
  | { kind: 'heading'; level: 2 | 3 | 4; inside: Inline[] }
  | { kind: 'paragraph' | 'quote'; inside: Inline[] }
  | { kind: 'list'; ordered: boolean; items: Inline[][] }
  | { kind: 'code'; text: string }
  | { kind: 'rule' };

const MOST_DEPTH = 8;

/** Only what leads to a page: another scheme would run something. */
export function safeLink(to: string): string | undefined {
  if (/^https?:\/\/[^\s]+$/i.test(to)) return to;
  if (/^\/(?!\/)[^\s\\]*$/.test(to)) return to;
  return undefined;
}

const MARKS: [RegExp, (match: RegExpExecArray, depth: number) => Inline | undefined][] = [
  [/^`([^`]+)`/, ([, text]) => ({ kind: 'code', text: text ?? '' })],
  [
    /^\*\*(?=\S)(.+?\S|\S)\*\*/,
    ([, text], depth) => ({ kind: 'strong', inside: inline(text ?? '', depth + 1) }),
  ],
  [
    /^\*(?=[^\s*])(.*?[^\s*])\*/,
    ([, text], depth) => ({ kind: 'em', inside: inline(text ?? '', depth + 1) }),
  ],
  [
    /^\[([^\]]+)\]\(([^()\s]+)\)/,
    ([, text, target], depth) => {
      const to = safeLink(target ?? '');
      return to ? { kind: 'link', to, inside: inline(text ?? '', depth + 1) } : undefined;
    },
  ],
];

export function inline(text: string, depth = 0): Inline[] {
  const found: Inline[] = [];
  let plain = '';
  const flush = () => {
    if (plain) found.push({ kind: 'text', text: plain });
    plain = '';
  };
  for (let at = 0; at < text.length; ) {
    const letter = text[at] ?? '';
    if (letter === '\\' && /[\\`*[\]()#>_-]/.test(text[at + 1] ?? '')) {
      plain += text[at + 1];
      at += 2;
      continue;
    }
    if (depth < MOST_DEPTH && (letter === '`' || letter === '*' || letter === '[')) {
      const rest = text.slice(at);
      let taken = 0;
      for (const [mark, make] of MARKS) {
        const match = mark.exec(rest);
        const made = match ? make(match, depth) : undefined;
        if (match && made) {
          flush();
          found.push(made);
          taken = match[0].length;
          break;
        }
      }
      if (taken > 0) {
        at += taken;
        continue;
      }
    }
    plain += letter;
    at += 1;
  }
  flush();
  return found;
}

export function parseMarkdown(text: string): Block[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', inside: inline(paragraph.join(' ')) });
    paragraph = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,3})\s+(.+?)\s*#*$/.exec(line);
    const item = /^\s{0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/.exec(line);
    const quote = /^>\s?(.*)$/.exec(line);
    if (/^```/.test(line)) {
      flush();
      const code: string[] = [];
      for (at += 1; at < lines.length && !/^```/.test(lines[at] ?? ''); at += 1) code.push(lines[at] ?? '');
      blocks.push({ kind: 'code', text: code.join('\n') });
    } else if (/^\s*$/.test(line)) {
      flush();
    } else if (/^\s{0,3}(?:-\s*){3,}$|^\s{0,3}(?:\*\s*){3,}$/.test(line)) {
      flush();
      blocks.push({ kind: 'rule' });
    } else if (heading) {
      flush();
      // The page's own heading is the first level.
      const level = (Math.min((heading[1] ?? '#').length, 3) + 1) as 2 | 3 | 4;
      blocks.push({ kind: 'heading', level, inside: inline(heading[2] ?? '') });
    } else if (item) {
      flush();
      const ordered = item[1] !== undefined;
      const before = blocks.at(-1);
      const joins = before?.kind === 'list' && before.ordered === ordered && lines[at - 1]?.trim() !== '';
      if (joins) before.items.push(inline(item[2] ?? ''));
      else blocks.push({ kind: 'list', ordered, items: [inline(item[2] ?? '')] });
    } else if (quote) {
      flush();
      blocks.push({ kind: 'quote', inside: inline(quote[1] ?? '') });
    } else {
      paragraph.push(line.trim());
    }
  }
  flush();
  return blocks;
}
