// What a table has beneath its heads: rows, headings above those that belong together, and what is in a row that
// is open. Pure.

export type Line<Row> =
  | { kind: 'row'; key: string; row: Row }
  | { kind: 'inside'; key: string; row: Row }
  | { kind: 'heading'; key: string; name: string; of: readonly Row[] };

/** The server has ordered the rows by what divides them. */
export function linesOf<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  group: ((row: Row) => string) | undefined,
  open: (row: Row) => boolean = () => false,
): Line<Row>[] {
  const lines: Line<Row>[] = [];
  let heading: { name: string; of: Row[] } | undefined;
  for (const row of rows) {
    const key = keyOf(row);
    const name = group?.(row);
    if (name !== undefined && name !== heading?.name) {
      heading = { name, of: [] };
      lines.push({ kind: 'heading', key: `above ${key}`, ...heading });
    }
    heading?.of.push(row);
    lines.push({ kind: 'row', key, row });
    if (open(row)) lines.push({ kind: 'inside', key: `below ${key}`, row });
  }
  return lines;
}
