// Comma-separated values (RFC 4180), as spreadsheets take them. Pure.

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;

/** What a spreadsheet would take for a formula is made a text by a quote before it. */
export function cell(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  const safe = !NUMBER.test(text) && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A row with its end. */
export function line(values: readonly (string | number | null)[]): string {
  return `${values.map(cell).join(',')}\r\n`;
}
