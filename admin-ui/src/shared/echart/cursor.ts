// Where the keys go in a chart that is none over time: from one datum to the next, or through columns and
// rows. Pure.

export interface Datum {
  /** Stays the same when the chart is renewed. */
  key: string;
  /** What is said of it, asked for when it is said. */
  told: () => string;
  /** Its place among the data of the chart's series. */
  index: number;
  /** In a chart of columns and rows. */
  cell?: { column: number; row: number };
}

/** Of how many a page of keys is a part. */
const PAGES = 10;

/**
 * The datum that a key leads to from `at` (-1: from none); `null`: it leaves, nothing: the key is of somebody
 * else.
 */
export function stepped(key: string, data: readonly Datum[], at: number): number | null | undefined {
  if (key === 'Escape') return at < 0 ? undefined : null;
  if (data.length === 0) return undefined;
  return data[0]?.cell ? throughCells(key, data, at) : alongList(key, data.length, at);
}

function alongList(key: string, count: number, at: number): number | undefined {
  const last = count - 1;
  const page = Math.ceil(count / PAGES);
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return Math.min(last, at + 1);
    case 'ArrowLeft':
    case 'ArrowUp':
      return at < 0 ? last : Math.max(0, at - 1);
    case 'PageDown':
      return Math.min(last, Math.max(0, at) + page);
    case 'PageUp':
      return Math.max(0, (at < 0 ? last : at) - page);
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return undefined;
  }
}

/** Where there is no value there is no stop: the next one of the row, or the nearest of the row beside it. */
function throughCells(key: string, data: readonly Datum[], at: number): number | undefined {
  const cells = data.map((one, index) => ({ column: 0, row: 0, ...one.cell, index }));
  const here = cells[at];
  const row = here?.row ?? Math.min(...cells.map((one) => one.row));
  const along = cells.filter((one) => one.row === row).sort((a, b) => a.column - b.column);
  const place = along.findIndex((one) => one.index === at);
  if (here && key === 'ArrowDown') return besideRow(1, cells, here);
  if (here && key === 'ArrowUp') return besideRow(-1, cells, here);
  const next = alongList(key, along.length, place);
  return next === undefined ? undefined : along[next]?.index;
}

type Cell = NonNullable<Datum['cell']> & { index: number };

function besideRow(way: 1 | -1, cells: readonly Cell[], here: Cell): number {
  const others = cells.filter((one) => (one.row - here.row) * way > 0);
  if (others.length === 0) return here.index;
  const row = here.row + way * Math.min(...others.map((one) => Math.abs(one.row - here.row)));
  const away = (one: Cell) => Math.abs(one.column - here.column);
  return others
    .filter((one) => one.row === row)
    .reduce((nearest, one) => (away(one) < away(nearest) ? one : nearest)).index;
}
