// Documents as comma-separated values. Pure.
import { cell, line } from '../../shared/files/csv';
import { fieldOf, TIME } from '../../shared/search/build';
import { type Hit, messageOf, shown } from './document';
import { WHOLE } from './view-state';

/** Documents that are written at most. */
export const MOST_ROWS = 10_000;

export function headOf(columns: readonly string[]): string {
  // The time's own name begins like a formula, and is none.
  return `${[TIME, ...columns.map(cell)].join(',')}\r\n`;
}

function textOf({ _source }: Hit, column: string): string {
  if (column === WHOLE) return JSON.stringify(_source);
  return column === 'message' ? messageOf(_source) : shown(fieldOf(_source, column));
}

export function rowsOf(hits: readonly Hit[], columns: readonly string[]): string {
  return hits.map((hit) => line([TIME, ...columns].map((column) => textOf(hit, column)))).join('');
}
