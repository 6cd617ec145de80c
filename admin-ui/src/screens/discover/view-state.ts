// What the page shows, as its URL has it and as a saved view keeps it. Pure.
import type { JsonObject } from '../../api/monitor';
import { fieldName, quoted } from '../../shared/search/discover-link';
import { NEWEST, type Order, readOrder, writeOrder } from './order';

/** The whole document, as a column. */
export const WHOLE = '_source';
export const MOST_INDICES = 16;
const MOST_COLUMNS = 20;

export interface ViewState {
  /** Names and patterns; none: all there are. */
  indices: string[];
  q: string;
  /** None: as suits what is listed. */
  columns: string[];
  /** What is followed comes in the order of its time. */
  order: Order;
  follow: boolean;
  /** The id of the document that is open. */
  doc: string;
  /** The name of the saved view that it began as. */
  view: string;
}

function listed(text: string | null): string[] {
  const parts = (text ?? '').split(',').map((part) => part.trim());
  return [...new Set(parts.filter(Boolean))];
}

export function readView(params: URLSearchParams): ViewState {
  const follow = params.get('follow') === '1';
  return {
    indices: listed(params.get('index')).slice(0, MOST_INDICES),
    q: params.get('q') ?? '',
    columns: listed(params.get('columns')).slice(0, MOST_COLUMNS),
    order: follow ? NEWEST : readOrder(params.get('sort')),
    follow,
    doc: params.get('doc') ?? '',
    view: params.get('view') ?? '',
  };
}

/** The parameters with the change; what is empty is left out. */
export function writeView(params: URLSearchParams, change: Partial<ViewState>): URLSearchParams {
  const next = new URLSearchParams(params);
  const put = (name: string, value: string | undefined) => {
    if (value === undefined) return;
    if (value === '') next.delete(name);
    else next.set(name, value);
  };
  put('index', change.indices?.join(','));
  put('q', change.q);
  put('columns', change.columns?.join(','));
  put('sort', change.order && writeOrder(change.order));
  put('follow', change.follow === undefined ? undefined : change.follow ? '1' : '');
  put('doc', change.doc);
  put('view', change.view);
  return next;
}

/** The link to what is shown now, wherever and whenever it is opened: names and times are absolute. */
export function lastingLink(
  here: URL,
  deployment: string,
  { from, to }: { from: number; to: number },
): string {
  const link = new URL(here);
  link.searchParams.set('in', deployment);
  link.searchParams.set('from', new Date(from).toISOString());
  link.searchParams.set('to', new Date(to).toISOString());
  for (const name of ['follow', 'refresh']) link.searchParams.delete(name);
  return link.toString();
}

/** What is asked for while nobody tells which data streams there are. */
export const USUAL: readonly string[] = ['logs-*', 'metrics-*'];

/** Streams that say what kind they are are asked for by it; names may not begin with `*`. */
export function everything(names: readonly string[]): string[] {
  const kinds = new Set(names.map((name) => name.replace(/-.*$/s, '')));
  const patterns = [...kinds].map((kind) => (names.includes(kind) ? `${kind}*` : `${kind}-*`));
  return patterns.slice(0, MOST_INDICES);
}

export function areLogs(indices: readonly string[]): boolean {
  return indices.length > 0 && indices.every((name) => name.startsWith('logs-'));
}

/** Columns that suit what is listed, when none were chosen. */
export function columnsFor(indices: readonly string[]): string[] {
  return areLogs(indices) ? ['log.level', 'service.name', 'message'] : ['event.dataset', WHOLE];
}

/** A column more, or one less when it is there; the widest stays last. */
export function toggled(columns: readonly string[], field: string): string[] {
  if (columns.includes(field)) return columns.filter((one) => one !== field);
  const wide: string[] = columns.filter((one) => one === WHOLE || one === 'message');
  return [...columns.filter((one) => !wide.includes(one)), field, ...wide].slice(-MOST_COLUMNS);
}

export function moved(columns: readonly string[], field: string, by: -1 | 1): string[] {
  const at = columns.indexOf(field);
  const to = at + by;
  if (at < 0 || to < 0 || to >= columns.length) return [...columns];
  const next = columns.filter((one) => one !== field);
  next.splice(to, 0, field);
  return next;
}

/** What a saved view keeps. */
export interface SavedState {
  indices: string[];
  q: string;
  columns: string[];
  /** As the URL has it; none: the newest first. */
  sort?: string;
  from: string;
  to: string;
}

export function toDocument(state: SavedState): string {
  const { indices, q, columns, sort, from, to } = state;
  return JSON.stringify({ indices, q, columns, ...(sort ? { sort } : {}), from, to });
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** What is in it; nothing when it is none. */
export function fromDocument(json: string): SavedState | undefined {
  let read: unknown;
  try {
    read = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) return undefined;
  const document = read as JsonObject;
  const text = (name: string) => (typeof document[name] === 'string' ? document[name] : '');
  return {
    indices: textsOf(document.indices).slice(0, MOST_INDICES),
    q: text('q'),
    columns: textsOf(document.columns).slice(0, MOST_COLUMNS),
    ...(text('sort') ? { sort: text('sort') } : {}),
    from: text('from'),
    to: text('to'),
  };
}

export function sameSaved(a: SavedState, b: SavedState): boolean {
  return toDocument(a) === toDocument(b);
}

/** A name for a title: what names may have, and unlike the others. */
export function nameFor(title: string, taken: readonly string[], random: string): string {
  const plain = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48);
  const name = plain || `view-${random}`;
  return taken.includes(name) ? `${name}-${random}` : name;
}

/** The query with one clause more; the opposite clause is taken out, the same one is not put twice. */
export function withClause(q: string, field: string, value: string, out: boolean): string {
  const clause = `${fieldName(field)}:${quoted(value)}`;
  return joined(q, out ? `NOT ${clause}` : clause, out ? clause : `NOT ${clause}`);
}

/** The query with `clause` and without `opposite`, both as whole clauses between ANDs. */
export function joined(q: string, clause: string, opposite: string): string {
  const clauses = topClauses(q);
  const kept = clauses.filter((one) => one !== opposite);
  if (kept.includes(clause)) return kept.join(' AND ');
  return [...kept, clause].join(' AND ');
}

export function withoutClause(q: string, clause: string): string {
  return topClauses(q)
    .filter((one) => one !== clause)
    .join(' AND ');
}

/** The clauses that are joined by AND; the whole text, kept together, when there is anything else. */
export function topClauses(q: string): string[] {
  const text = q.trim();
  if (!text) return [];
  const clauses: string[] = [];
  let depth = 0;
  let quote = false;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? '';
    if (letter === '\\') at += 1;
    else if (letter === '"') quote = !quote;
    else if (quote) continue;
    else if ('([{'.includes(letter)) depth += 1;
    else if (')]}'.includes(letter)) depth -= 1;
    else if (depth === 0 && /\s/.test(text[at - 1] ?? '')) {
      if (/^(OR|\|\|)[\s(]/.test(text.slice(at, at + 3))) return [`(${text})`];
      if (/^AND[\s(]/.test(text.slice(at, at + 4))) {
        clauses.push(text.slice(start, at).trim());
        start = at + 3;
      }
    }
  }
  clauses.push(text.slice(start).trim());
  return clauses.filter(Boolean);
}
