// What a list shows is in the URL: search, filters, order, page. Pure, so that it is checked without
// a browser. The server does all of it; the page token names the last row of the page before.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ListOptionsSchema } from '../../generated/wharf/v1/common_pb';

export interface ListState {
  search: string;
  filters: Record<string, string>;
  sort: string;
  descending: boolean;
  after: string;
  page: number;
  size: number;
}

export const SIZES = [50, 100, 250, 1000];

export function readState(params: URLSearchParams, prefix: string, defaultSort: string): ListState {
  const get = (name: string) => params.get(prefix + name) ?? '';
  const order = get('sort') || defaultSort;
  const [sort = '', way] = order.split(' ');
  const filters: Record<string, string> = {};
  for (const [name, value] of params) {
    if (name.startsWith(`${prefix}f.`) && value) filters[name.slice(prefix.length + 2)] = value;
  }
  const size = Number(get('size'));
  const page = Number(get('page'));
  return {
    search: get('q'),
    filters,
    sort,
    descending: way === 'desc',
    after: get('after'),
    page: Number.isInteger(page) && page > 1 ? page : 1,
    size: SIZES.includes(size) ? size : 100,
  };
}

/** What changes begins at the first page again, unless it is the page. */
export function writeState(
  params: URLSearchParams,
  prefix: string,
  change: Partial<Record<'q' | 'sort' | 'after' | 'page' | 'size' | `f.${string}`, string>>,
): URLSearchParams {
  const next = new URLSearchParams(params);
  if (!('after' in change)) {
    next.delete(`${prefix}after`);
    next.delete(`${prefix}page`);
  }
  for (const [name, value] of Object.entries(change)) {
    if (value) next.set(prefix + name, value);
    else next.delete(prefix + name);
  }
  return next;
}

/** Without search and filters, at the first page: what else the URL says is not this list's. */
export function cleared(params: URLSearchParams, prefix: string): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const name of [...params.keys()]) {
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (['q', 'after', 'page'].includes(own) || own.startsWith('f.')) next.delete(name);
  }
  return next;
}

function quoted(value: string): string {
  return `"${value.replaceAll('"', '')}"`;
}

export function optionsOf(
  state: ListState,
  searched: string | undefined,
  fixed: string | undefined,
): MessageInitShape<typeof ListOptionsSchema> {
  const terms = Object.entries(state.filters).map(([field, value]) => `${field}=${quoted(value)}`);
  if (fixed) terms.unshift(fixed);
  if (state.search && searched) terms.push(`${searched}~${quoted(state.search)}`);
  return {
    pageSize: state.size,
    pageToken: state.after,
    filter: terms.join(' and '),
    orderBy: state.sort ? `${state.sort}${state.descending ? ' desc' : ''}` : '',
  };
}
