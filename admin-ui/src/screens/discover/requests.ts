// What the page asks of `_search`. Pure.
import type { Json, JsonObject } from '../../api/monitor';
import {
  all,
  dateHistogram,
  exists,
  fieldOf,
  filtered,
  queryString,
  rangeOf,
  type Span,
  TIME,
  termFilter,
  terms,
  termsFilter,
} from '../../shared/search/build';
import { ERROR_LEVELS } from '../../shared/search/discover-link';
import { atOf, type Hit, REQUEST_FIELDS, shown } from './document';
import { NEWEST, type Order } from './order';
import { WHOLE } from './view-state';

export const PAGE = 200;
export const TOP_VALUES = 10;
const COMPLETIONS = 20;
/** Ids that one body names at most: it may have 64 KiB. */
const MOST_IDS = 1_000;
/** What comes later than what is newer is still found so long. */
export const OVERLAP_MS = 10_000;

export function matching(q: string, span: Span): JsonObject[] {
  return [rangeOf(span), ...(q.trim() ? [queryString(q.trim())] : [])];
}

const order = (direction: 'asc' | 'desc'): JsonObject[] => [
  { [TIME]: { order: direction, unmapped_type: 'date' } },
  // Lines of one millisecond stay in the order in which they were written.
  { 'log.offset': { order: direction, unmapped_type: 'long' } },
];

/** Fields of the documents that are listed: all of them where the whole document is a column. */
export function sourceFor(columns: readonly string[]): Json {
  if (columns.includes(WHOLE)) return true;
  const request = columns.includes('message') ? REQUEST_FIELDS : [];
  return [...new Set([TIME, 'log.level', 'log.offset', ...columns, ...request])];
}

/** Where a page ends: the documents of the same value and millisecond that were listed already are told by id. */
export interface After {
  ms: number;
  ids: string[];
  /** By which it was ordered, where that is not the time. */
  value?: Json;
}

/** From here on numbers stand for no value: the storage's own are too large to come back as they were. */
const NO_VALUE = 2 ** 63;

/** Hits with the value that they are ordered by apart, and their time first in what they are sorted by. */
export function ranked(hits: readonly Hit[], order: Order): Hit[] {
  if (order.field === TIME) return [...hits];
  return hits.map(({ sort = [], ...hit }) => {
    const [value = null, ...rest] = sort;
    return {
      ...hit,
      sort: rest,
      by: typeof value === 'number' && Math.abs(value) >= NO_VALUE ? null : value,
    };
  });
}

export function afterOf(hits: readonly Hit[], order: Order = NEWEST): After | undefined {
  const last = hits.at(-1);
  if (!last) return undefined;
  const ms = atOf(last);
  const by = order.field === TIME ? {} : { value: last.by ?? null };
  const ids: string[] = [];
  for (let at = hits.length - 1; at >= 0; at -= 1) {
    const hit = hits[at];
    if (!hit || atOf(hit) !== ms || hit.by !== last.by) break;
    ids.push(hit._id);
  }
  if (ids.length <= MOST_IDS) return { ms, ids, ...by };
  // So many in one millisecond cannot be told apart by name: go on behind them.
  const oldestFirst = order.field === TIME && !order.descending;
  return { ms: oldestFirst ? ms + 1 : ms - 1, ids: [], ...by };
}

function unlike(ids: readonly string[]): JsonObject[] {
  return ids.length > 0 ? [{ ids: { values: [...ids] } }] : [];
}

export interface ListRequest {
  q: string;
  span: Span;
  columns: readonly string[];
  /** None: the newest first. */
  order?: Order;
}

/** By a field, those without it last; what has the same value is listed with the newest first. */
function orderBy({ field, descending }: Order): JsonObject[] {
  const by = { order: descending ? 'desc' : 'asc', missing: '_last', unmapped_type: 'keyword' };
  return [{ [field]: by }, { [TIME]: { order: 'desc', unmapped_type: 'date' } }];
}

export function pageBody(
  { q, span, columns, order: by = NEWEST }: ListRequest,
  after: After | undefined,
  size: number,
): JsonObject {
  const byTime = by.field === TIME;
  const rest = after && (by.descending ? { ...span, to: after.ms + 1 } : { ...span, from: after.ms });
  return {
    size,
    track_total_hits: false,
    sort: byTime ? order(by.descending ? 'desc' : 'asc') : orderBy(by),
    // Behind what is a millisecond younger: what is as old as the last one is told by id.
    ...(after && !byTime ? { search_after: [after.value ?? null, after.ms + 1] } : {}),
    query: all(matching(q, byTime && rest ? rest : span), unlike(after?.ids ?? [])),
    _source: sourceFor(columns),
  };
}

/** From when on newer documents are asked for, and which of them are known. `known` is newest first. */
export function sinceOf(known: readonly Hit[], otherwise: number): After {
  const newest = known[0];
  const begin = (newest ? Math.max(atOf(newest), otherwise) : otherwise) - OVERLAP_MS;
  const ids: string[] = [];
  for (const hit of known) {
    if (atOf(hit) < begin) break;
    if (ids.length === MOST_IDS) return { ms: atOf(hit) + 1, ids };
    ids.push(hit._id);
  }
  return { ms: begin, ids };
}

export function newerBody(q: string, since: After, columns: readonly string[], size: number): JsonObject {
  return {
    size,
    track_total_hits: true,
    sort: order('desc'),
    query: all(
      [
        { range: { [TIME]: { gte: since.ms, format: 'epoch_millis' } } },
        ...(q.trim() ? [queryString(q.trim())] : []),
      ],
      unlike(since.ids),
    ),
    _source: sourceFor(columns),
  };
}

export function overTimeBody(q: string, span: Span & { bucketMs: number }): JsonObject {
  return {
    size: 0,
    track_total_hits: true,
    query: all(matching(q, span)),
    aggs: {
      time: dateHistogram(span, { levels: terms('log.level', 10) }),
      levels: terms('log.level', 10),
      errors: filtered(termsFilter('log.level', ERROR_LEVELS), { applications: terms('service.name', 5) }),
    },
  };
}

/** The span that is compared with: it has no facets. */
export function beforeBody(q: string, span: Span & { bucketMs: number }): JsonObject {
  return {
    size: 0,
    track_total_hits: false,
    query: all(matching(q, span)),
    aggs: { time: dateHistogram(span, { levels: terms('log.level', 10) }) },
  };
}

/** Types that have figures to sum up. */
export function isNumber(type: string): boolean {
  return /^(long|integer|short|byte|double|float|half_float|scaled_float|unsigned_long)$/.test(type);
}

export function topValuesBody(q: string, span: Span, field: string, type: string): JsonObject {
  return {
    size: 0,
    track_total_hits: true,
    query: all(matching(q, span)),
    aggs: {
      having: filtered(exists(field)),
      top: terms(field, TOP_VALUES),
      ...(isNumber(type) ? { stats: { stats: { field } } } : {}),
    },
  };
}

/** A text as it stands, for a pattern of `include`. */
function literally(text: string): string {
  return text.replace(/[.?+*|{}[\]()"\\#@&<>~^$-]/g, '\\$&');
}

export function completionBody(span: Span, field: string, type: string, prefix: string): JsonObject {
  const narrowed: JsonObject = prefix && type === 'keyword' ? { include: `${literally(prefix)}.*` } : {};
  return {
    size: 0,
    track_total_hits: false,
    query: all([rangeOf(span)]),
    aggs: { values: { terms: { field, size: COMPLETIONS, ...narrowed } } },
  };
}

export function documentBody(id: string): JsonObject {
  return { size: 1, query: { ids: { values: [id] } } };
}

/** What has the same source of lines as this one: its container, else its host and file. */
export function besideOf(source: JsonObject): JsonObject[] | undefined {
  const container = shown(fieldOf(source, 'container.id'));
  if (container) return [termFilter('container.id', container)];
  const path = shown(fieldOf(source, 'log.file.path'));
  const host = shown(fieldOf(source, 'host.name'));
  if (!path || !host) return undefined;
  return [termFilter('host.name', host), termFilter('log.file.path', path)];
}

export function surroundingBody(
  beside: readonly JsonObject[],
  at: number,
  direction: 'before' | 'after',
  size: number,
): JsonObject {
  const bound: JsonObject = direction === 'before' ? { lte: at } : { gte: at };
  return {
    size,
    track_total_hits: false,
    sort: order(direction === 'before' ? 'desc' : 'asc'),
    query: all([...beside, { range: { [TIME]: { ...bound, format: 'epoch_millis' } } }]),
    _source: sourceFor(['message']),
  };
}
