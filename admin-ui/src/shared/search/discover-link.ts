// Links into Discover, and the words of its queries. A query is the text that the storage's
// `query_string` reads, with AND between clauses. Pure.

export interface DiscoverLink {
  /** None: the system deployment. */
  deployment?: string | undefined;
  /** Names or patterns of data streams; none: all. */
  indices?: readonly string[] | undefined;
  q?: string | undefined;
  /** `now-1h`, `now`, or a moment in ISO 8601. */
  from?: string | undefined;
  to?: string | undefined;
  columns?: readonly string[] | undefined;
  /** Lines are shown as they come. */
  follow?: boolean | undefined;
}

export const LOGS: readonly string[] = ['logs-*'];

/** As the storage has them: collectors write one word for all spellings of a level. */
export const ERROR_LEVELS: readonly string[] = ['error', 'critical', 'fatal', 'emergency'];

/** Lines that tell of an error. */
export const LEVEL_IS_ERROR = `log.level:(${ERROR_LEVELS.join(' OR ')})`;

export function discoverLink(link: DiscoverLink): string {
  const params = new URLSearchParams();
  const put = (name: string, value: string | undefined) => {
    if (value) params.set(name, value);
  };
  put('in', link.deployment);
  put('index', link.indices?.join(','));
  put('q', link.q);
  put('from', link.from);
  put('to', link.to);
  put('columns', link.columns?.join(','));
  put('follow', link.follow ? '1' : undefined);
  return params.size > 0 ? `/discover?${params}` : '/discover';
}

/** The name of a field as the query text takes it: what would end a word is escaped. */
export function fieldName(field: string): string {
  return field.replace(/[\\\s():^[\]{}~"!+*?/&|<>=]/g, '\\$&').replace(/^-/, '\\-');
}

/** A value in quotes, which means itself whatever is in it. */
export function quoted(value: string): string {
  return `"${value.replace(/[\\"]/g, '\\$&')}"`;
}

/** `field:"value"`. */
export function fieldIs(field: string, value: string | number | boolean): string {
  return `${fieldName(field)}:${quoted(String(value))}`;
}

/** All of the clauses; one that has an OR of its own keeps to itself. */
export function allOf(...clauses: readonly string[]): string {
  const given = clauses.map((clause) => clause.trim()).filter(Boolean);
  if (given.length < 2) return given[0] ?? '';
  return given.map((clause) => (hasOr(clause) ? `(${clause})` : clause)).join(' AND ');
}

/** Whether an OR stands outside of quotes and groups: the clauses beside it are then not all needed. */
function hasOr(text: string): boolean {
  let depth = 0;
  let quote = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (letter === '\\') at += 1;
    else if (letter === '"') quote = !quote;
    else if (quote) continue;
    else if (letter === '(') depth += 1;
    else if (letter === ')') depth -= 1;
    else if (depth === 0) {
      if (text.startsWith('||', at)) return true;
      const before = at === 0 || /\s/.test(text[at - 1] ?? '');
      if (before && /^OR[\s(]/.test(text.slice(at, at + 3))) return true;
    }
  }
  return false;
}
