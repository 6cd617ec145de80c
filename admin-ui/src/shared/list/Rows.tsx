// Rows under heads that may be pressed to order them. Over 200 rows only those in sight are drawn.
import { type ColumnDef, flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useMemo, useRef } from 'react';
import { useT } from '../../i18n/i18n';

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
}

const ROW_HEIGHT = 29;
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
  const virtual = rows.length > ALL_DRAWN && !props.group;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 20,
    enabled: virtual,
  });
  const items = virtualizer.getVirtualItems();
  const first = items[0];
  const last = items[items.length - 1];
  const seen = virtual ? items.flatMap((item) => rows[item.index] ?? []) : rows;
  const above = virtual && first ? first.start : 0;
  const below = virtual && last ? virtualizer.getTotalSize() - last.end : 0;
  const byId = new Map(columns.map((column) => [column.id, column as Column<never>]));
  let heading: string | undefined;

  return (
    <section
      className={virtual ? 'rows virtual' : 'rows'}
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={props.label}
    >
      <table className="grid" aria-label={props.label} aria-rowcount={virtual ? rows.length + 1 : undefined}>
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
          {seen.map((row) => {
            const name = props.group?.(row.original);
            const begins = name !== undefined && name !== heading;
            heading = name;
            const cells = (
              <tr key={row.id} data-row={row.id}>
                {row.getVisibleCells().map((cell) => (
                  <td key={cell.id} className={classOf(byId.get(cell.column.id))}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </td>
                ))}
              </tr>
            );
            if (!begins) return cells;
            const members = props.rows.filter((one) => props.group?.(one) === name);
            return [
              <tr key={`group ${name}`} className="group">
                <th scope="rowgroup" colSpan={columns.length}>
                  {name || '–'} <span className="quiet">{props.groupNote?.(members)}</span>
                </th>
              </tr>,
              cells,
            ];
          })}
          {below > 0 ? <tr className="gap" style={{ height: below }} /> : null}
        </tbody>
      </table>
    </section>
  );
}
