// Documents as comma-separated values (RFC 4180), as spreadsheets take them. Pure.
import { fieldOf, TIME } from '../../shared/search/build';
import { type Hit, messageOf, shown } from './document';
import { WHOLE } from './view-state';

/** Documents that are written at most. */
export const MOST_ROWS = 10_000;

/** What a spreadsheet would take for a formula is made a text by a quote before it. */
export function cell(text: string): string {
  const number = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text);
  const safe = !number && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function headOf(columns: readonly string[]): string {
  // The time's own name begins like a formula, and is none.
  return `${[TIME, ...columns.map(cell)].join(',')}\r\n`;
}

function textOf({ _source }: Hit, column: string): string {
  if (column === WHOLE) return JSON.stringify(_source);
  return column === 'message' ? messageOf(_source) : shown(fieldOf(_source, column));
}

export function rowsOf(hits: readonly Hit[], columns: readonly string[]): string {
  return hits
    .map((hit) => {
      const values = [TIME, ...columns].map((column) => textOf(hit, column));
      return `${values.map(cell).join(',')}\r\n`;
    })
    .join('');
}
