// Lines of logs: what is asked of the storage, and the order in which they are shown. Pure.
import type { Json, JsonObject, SearchHit } from '../../api/monitor';
import { all, fieldOf, rangeOf, type Span, TIME, textOf } from '../search/build';

export interface Line {
  id: string;
  index: string;
  /** Milliseconds. */
  at: number;
  /** Where it begins in its file: the order of lines of one moment. */
  offset: number;
  level: string;
  host: string;
  container: string;
  /** The part of the program that wrote it, where it says so. */
  logger: string;
  message: string;
}

const OFFSET = 'log.offset';

/** How far back lines are asked for again: some come a little later than younger ones. */
export const OVERLAP_MS = 3_000;

/** As many as are kept while lines come. */
export const MOST_LINES = 2_000;

/** Levels from the mildest on: `warn` means these and what is worse. */
export const LEVELS = {
  error: ['error', 'err', 'critical', 'crit', 'alert', 'fatal', 'panic', 'emergency', 'emerg'],
  warn: ['warn', 'warning'],
} as const;

export type AtLeast = '' | 'warn' | 'error';

/** The level that a URL says; another word is none. */
export function levelOf(word: string | null): AtLeast {
  return word === 'warn' || word === 'error' ? word : '';
}

export interface Wanted {
  filter: readonly JsonObject[];
  /** Only those of a span; none: the newest there are. */
  range?: Span;
  atLeast: AtLeast;
  /** Words that stand in the line beside each other. */
  text: string;
}

/** Whether a reader sees but some of the lines. */
export function isNarrowed({ atLeast, text }: Pick<Wanted, 'atLeast' | 'text'>): boolean {
  return atLeast !== '' || text.trim() !== '';
}

function queryOf({ filter, range, atLeast, text }: Wanted): JsonObject {
  const clauses = [...filter, ...(range ? [rangeOf(range)] : [])];
  if (atLeast) {
    const levels = atLeast === 'error' ? LEVELS.error : [...LEVELS.error, ...LEVELS.warn];
    clauses.push({ terms: { 'log.level': [...levels] } });
  }
  if (text.trim()) clauses.push({ match_phrase_prefix: { message: text.trim() } });
  return all(clauses);
}

function order(way: 'asc' | 'desc'): Json[] {
  return [{ [TIME]: { order: way } }, { [OFFSET]: { order: way, unmapped_type: 'long' } }];
}

const SHOWN = [TIME, 'message', 'log.level', 'log.logger', OFFSET, 'host.name', 'container.name'];

/** The newest lines, or those before one. */
export function newestBody(wanted: Wanted, size: number, before?: Pick<Line, 'at' | 'offset'>): JsonObject {
  return {
    size,
    track_total_hits: false,
    _source: SHOWN,
    query: queryOf(wanted),
    sort: order('desc'),
    ...(before ? { search_after: [before.at, before.offset] } : {}),
  };
}

/** Lines after one, oldest first. */
export function freshBody(wanted: Wanted, size: number, after: Pick<Line, 'at' | 'offset'>): JsonObject {
  return {
    size,
    track_total_hits: false,
    _source: SHOWN,
    query: queryOf(wanted),
    sort: order('asc'),
    search_after: [after.at, after.offset],
  };
}

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g');

/** Without what terminals take for colours. */
export function plain(text: string): string {
  return text.includes(String.fromCharCode(27)) ? text.replace(COLOURS, '') : text;
}

export function lineOf(hit: SearchHit): Line {
  const source = hit._source;
  const at = fieldOf(source, TIME);
  const offset = fieldOf(source, OFFSET);
  return {
    id: hit._id,
    index: hit._index,
    at: typeof at === 'number' ? at : Date.parse(String(at ?? '')) || 0,
    offset: typeof offset === 'number' ? offset : 0,
    level: textOf(source, 'log.level'),
    host: textOf(source, 'host.name'),
    container: textOf(source, 'container.name'),
    logger: textOf(source, 'log.logger'),
    message: plain(textOf(source, 'message')),
  };
}

/** Both in order, each line once. */
export function merged(known: readonly Line[], more: readonly Line[]): Line[] {
  const ids = new Set(known.map((line) => line.id));
  const fresh = more.filter((line) => !ids.has(line.id));
  if (fresh.length === 0) return known as Line[];
  return [...known, ...fresh].sort((a, b) => a.at - b.at || a.offset - b.offset);
}

export type Severity = 'bad' | 'warn' | 'plain' | 'low';

export function severityOf(level: string): Severity {
  const word = level.toLowerCase();
  if (LEVELS.error.some((one) => one === word)) return 'bad';
  if (LEVELS.warn.some((one) => one === word)) return 'warn';
  return word === 'debug' || word === 'trace' ? 'low' : 'plain';
}

/** How many letters the longest name has, at most so many. */
export function widthOf(lines: readonly Line[], of: 'host' | 'container', most: number): number {
  return Math.min(
    most,
    lines.reduce((longest, line) => Math.max(longest, line[of].length), 0),
  );
}

/** As one would paste them. */
export function asText(lines: readonly Line[]): string {
  return lines
    .map((line) => [new Date(line.at).toISOString(), line.level, line.message].filter(Boolean).join(' '))
    .join('\n');
}
