// Rows under heads that may be pressed to order them. Over 200 lines only those in sight are drawn.
import { type ColumnDef, flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useMemo, useRef } from 'react';
import { useT } from '../../i18n/i18n';
import { linesOf } from './lines';

export interface Column<Row> {
  id: string;
  head: string;
  /** The server's field that orders by it. */
  sort?: string;
  /** The first press orders the largest first. */
  largest?: boolean;
  right?: boolean;
  /** As wide as what is in it. */
  tight?: boolean;
  cell: (row: Row) => ReactNode;
}

interface RowsProps<Row> {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  sort?: string;
  descending?: boolean;
  onSort?: (field: string, descending: boolean) => void;
  group?: ((row: Row) => string) | undefined;
  groupNote?: ((rows: readonly Row[]) => ReactNode) | undefined;
  /** Rows open to what is in them: nothing of one that is closed. */
  inside?: ((row: Row) => ReactNode) | undefined;
}

/** Of headings, too. */
const ROW_HEIGHT = 29;
/** Of what is in a row, until it is measured. */
const INSIDE_HEIGHT = 300;
const ALL_DRAWN = 200;

function classOf(column: Column<never> | undefined): string {
  return `${column?.right ? 'right' : ''} ${column?.tight ? 'tight' : ''}`.trim();
}

export function Rows<Row>(props: RowsProps<Row>) {
  const t = useT();
  const box = useRef<HTMLElement>(null);
  const { columns, rowKey } = props;
  const defs = useMemo<ColumnDef<Row>[]>(
    () =>
      columns.map((column) => ({
        id: column.id,
        header: column.head,
        cell: ({ row }) => column.cell(row.original),
      })),
    [columns],
  );
  const data = useMemo(() => [...props.rows], [props.rows]);
  const table = useReactTable({ data, columns: defs, getRowId: rowKey, getCoreRowModel: getCoreRowModel() });
  const rows = table.getRowModel().rows;
  const { group: divide, inside } = props;
  const lines = useMemo(
    () =>
      linesOf(
        rows,
        (row) => row.id,
        divide && ((row) => divide(row.original)),
        (row) => Boolean(inside?.(row.original)),
      ),
    [rows, divide, inside],
  );
  const virtual = lines.length > ALL_DRAWN;
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => (lines[index]?.kind === 'inside' ? INSIDE_HEIGHT : ROW_HEIGHT),
    getItemKey: (index) => lines[index]?.key ?? index,
    overscan: 20,
    enabled: virtual,
  });
  const items = virtualizer.getVirtualItems();
  const first = items[0];
  const last = items[items.length - 1];
  const shown = virtual ? items.map((item) => item.index) : [...lines.keys()];
  const above = virtual && first ? first.start : 0;
  const below = virtual && last ? virtualizer.getTotalSize() - last.end : 0;
  const byId = new Map(columns.map((column) => [column.id, column as Column<never>]));

  return (
    <section
      className={`rows ${virtual ? 'virtual' : ''} ${inside ? 'opens' : ''}`}
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={props.label}
    >
      <table className="grid" aria-label={props.label} aria-rowcount={virtual ? lines.length + 1 : undefined}>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((head) => {
                const column = byId.get(head.id);
                const field = column?.sort;
                const on = field !== undefined && field === props.sort;
                return (
                  <th
                    key={head.id}
                    scope="col"
                    className={classOf(column)}
                    aria-sort={on ? (props.descending ? 'descending' : 'ascending') : undefined}
                  >
                    {field && props.onSort ? (
                      <button
                        type="button"
                        className="sort"
                        onClick={() =>
                          props.onSort?.(field, on ? !props.descending : (column?.largest ?? false))
                        }
                      >
                        {column?.head}
                        <span aria-hidden="true" className={on ? 'arrow on' : 'arrow'}>
                          {on ? (props.descending ? '↓' : '↑') : '↕'}
                        </span>
                      </button>
                    ) : (
                      column?.head || <span className="sr-only">{t('list.actions')}</span>
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {above > 0 ? <tr className="gap" style={{ height: above }} /> : null}
          {shown.map((index) => {
            const line = lines[index];
            switch (line?.kind) {
              case 'heading':
                return (
                  <tr key={line.key} className="group">
                    <th scope="rowgroup" colSpan={columns.length}>
                      {line.name || '–'}{' '}
                      <span className="quiet">{props.groupNote?.(line.of.map((row) => row.original))}</span>
                    </th>
                  </tr>
                );
              case 'inside':
                return (
                  <tr key={line.key} className="inside" ref={virtualizer.measureElement} data-index={index}>
                    <td colSpan={columns.length}>
                      <div>{inside?.(line.row.original)}</div>
                    </td>
                  </tr>
                );
              case 'row':
                return (
                  <tr key={line.key} data-row={line.key}>
                    {line.row.getVisibleCells().map((cell) => (
                      <td key={cell.id} className={classOf(byId.get(cell.column.id))}>
                        {flexRender(cell.column.columnDef.cell, cell.getContext())}
                      </td>
                    ))}
                  </tr>
                );
              default:
                return null;
            }
          })}
          {below > 0 ? <tr className="gap" style={{ height: below }} /> : null}
        </tbody>
      </table>
    </section>
  );
}
