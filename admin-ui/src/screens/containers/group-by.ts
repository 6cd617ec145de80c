// By what containers are grouped, and what the URL and the server are told of it. Pure.
import { type ListState, optionsOf, writeState } from '../../shared/list/list-state';

/** The fields, in the order in which they are offered. */
export const GROUPED_BY = ['application', 'deployment', 'service', 'image', 'host', 'zone', 'state'] as const;

export type GroupBy = (typeof GROUPED_BY)[number];

/** The prefix of the list of an open group. */
export const INNER = 'c.';
/** What a list of containers and one of groups are both ordered by. */
const COMMON_ORDERS = ['memory', 'cpu'];

export function groupedBy(params: URLSearchParams): GroupBy | undefined {
  const name = params.get('group');
  return GROUPED_BY.find((one) => one === name);
}

/** Grouped otherwise or not at all: the search, the filters and an order that fits are kept. */
export function regrouped(params: URLSearchParams, by: string): URLSearchParams {
  const next = opened(writeState(params, '', {}), null);
  const order = (next.get('sort') ?? '').split(' ')[0] ?? '';
  if ((!by || !next.has('group')) && !COMMON_ORDERS.includes(order)) next.delete('sort');
  if (by) next.set('group', by);
  else next.delete('group');
  return next;
}

/** With that group open, at its first page; null: with none. */
export function opened(params: URLSearchParams, key: string | null): URLSearchParams {
  const next = writeState(params, INNER, {});
  if (key === null) next.delete('open');
  else next.set('open', key);
  return next;
}

/** Those of the containers that the page is about. */
export function filterOf(state: ListState): string {
  return optionsOf(state, 'name', undefined).filter ?? '';
}

/** Those of them that are in that group. The server knows no way to write a quote within quotes. */
export function filterWithin(filter: string, by: GroupBy, key: string): string {
  const own = `${by}=${key.includes('"') ? key : `"${key}"`}`;
  return filter ? `${filter} and ${own}` : own;
}
