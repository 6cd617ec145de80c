// The list: one row for each document, newest first or as asked; only rows in sight are drawn, and further pages are
// fetched when the reader comes near the end.
import { Button } from '@patternfly/react-core';
import LeftIcon from '@patternfly/react-icons/dist/esm/icons/angle-left-icon';
import RightIcon from '@patternfly/react-icons/dist/esm/icons/angle-right-icon';
import TimesIcon from '@patternfly/react-icons/dist/esm/icons/times-icon';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, type RefObject, useEffect, useMemo } from 'react';
import { useI18n, useT } from '../../i18n/i18n';
import { TIME } from '../../shared/search/build';
import { atOf, cellText, type Hit, keyOfHit, levelOf, summaryOf, toneOf } from './document';
import { ariaSort, SortHead, type Sorting } from './SortHead';
import { moved, WHOLE } from './view-state';

const ROW = 28;
const NEAR_END = 30;

interface DocumentsProps {
  box: RefObject<HTMLElement | null>;
  hits: readonly Hit[];
  columns: string[];
  sorting: Sorting;
  /** The id of the one that is open. */
  open: string;
  more: boolean;
  fetching: boolean;
  onMore: () => void;
  onOpen: (hit: Hit) => void;
  onColumns: (columns: string[]) => void;
  onScroll: (top: number) => void;
  /** Behind the last row. */
  end: ReactNode;
}

export function useStamp(): (ms: number) => string {
  const { locale } = useI18n();
  return useMemo(() => {
    const time = new Intl.DateTimeFormat(locale, {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
      hourCycle: 'h23',
    });
    const day = new Intl.DateTimeFormat(locale, { month: '2-digit', day: '2-digit' });
    return (ms) => {
      const at = new Date(ms);
      return at.toDateString() === new Date().toDateString()
        ? time.format(at)
        : `${day.format(at)} ${time.format(at)}`;
    };
  }, [locale]);
}

export function Level({ level }: { level: string }) {
  if (!level) return <span className="quiet">–</span>;
  return <span className={`level tone-${toneOf(level) ?? 'off'}`}>{level}</span>;
}

function Cell({ hit, column }: { hit: Hit; column: string }) {
  if (column === 'log.level') return <Level level={levelOf(hit._source)} />;
  if (column !== WHOLE) return cellText(hit._source, column);
  const { message, pairs } = summaryOf(hit._source);
  if (message) return message;
  return pairs.map(([name, value]) => (
    <span key={name} className="pair">
      <b>{name}</b> {value}
    </span>
  ));
}

function classFor(column: string): string {
  if (column === 'log.level') return 'level-column';
  return column === 'message' || column === WHOLE ? 'wide' : '';
}

function Head({
  column,
  columns,
  sorting,
  onColumns,
}: { column: string } & Pick<DocumentsProps, 'columns' | 'sorting' | 'onColumns'>) {
  const t = useT();
  const name = column === WHOLE ? t('discover.column.whole') : column;
  const act = (label: string, icon: ReactNode, next: string[]) => (
    <Button
      variant="plain"
      size="sm"
      icon={icon}
      aria-label={label}
      title={label}
      onClick={() => onColumns(next)}
    />
  );
  const at = columns.indexOf(column);
  return (
    <div className="head">
      <SortHead column={column} name={name} {...sorting} />
      <span className="head-acts">
        {at > 0
          ? act(t('discover.column.left', { field: name }), <LeftIcon />, moved(columns, column, -1))
          : null}
        {at < columns.length - 1
          ? act(t('discover.column.right', { field: name }), <RightIcon />, moved(columns, column, 1))
          : null}
        {columns.length > 1
          ? act(
              t('discover.column.remove', { field: name }),
              <TimesIcon />,
              columns.filter((one) => one !== column),
            )
          : null}
      </span>
    </div>
  );
}

export function Documents(props: DocumentsProps) {
  const { box, hits, columns, sorting, open, more, fetching, onMore, onOpen } = props;
  const t = useT();
  const stamp = useStamp();
  const virtual = useVirtualizer({
    count: hits.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 24,
    // The head stays in sight over the rows.
    scrollPaddingStart: ROW,
  });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items.at(-1);
  const above = first?.start ?? 0;
  const below = last ? virtual.getTotalSize() - last.end : 0;
  const near = last !== undefined && last.index >= hits.length - NEAR_END;
  useEffect(() => {
    if (near && more && !fetching) onMore();
  }, [near, more, fetching, onMore]);
  const at = open ? hits.findIndex((hit) => hit._id === open) : -1;
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines that come do not move what is read
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' });
  }, [open]);
  const narrow = columns.filter((column) => classFor(column) === '').length;
  return (
    <section
      className="documents"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={t('discover.documents')}
      onScroll={(event) => props.onScroll(event.currentTarget.scrollTop)}
    >
      <table
        aria-label={t('discover.documents')}
        aria-rowcount={more ? -1 : hits.length + 1}
        style={{ minWidth: 520 + narrow * 150 }}
      >
        <colgroup>
          <col className="open-column" />
          <col className="time-column" />
          {columns.map((column) => (
            <col key={column} className={classFor(column)} />
          ))}
        </colgroup>
        <thead>
          <tr>
            <th scope="col">
              <span className="sr-only">{t('discover.document.open')}</span>
            </th>
            <th scope="col" aria-sort={ariaSort(TIME, sorting)}>
              <SortHead column={TIME} name={TIME} {...sorting} />
            </th>
            {columns.map((column) => (
              <th key={column} scope="col" aria-sort={ariaSort(column, sorting)}>
                <Head column={column} columns={columns} sorting={sorting} onColumns={props.onColumns} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 ? <tr className="gap" style={{ height: above }} /> : null}
          {items.map((item) => {
            const hit = hits[item.index];
            if (!hit) return null;
            const ms = atOf(hit);
            const tone = toneOf(levelOf(hit._source)) ?? '';
            return (
              <tr
                key={keyOfHit(hit)}
                data-document={hit._id}
                aria-rowindex={item.index + 2}
                className={`${tone ? `tone-${tone}` : ''} ${item.index === at ? 'open' : ''}`}
                onClick={() => onOpen(hit)}
              >
                <td>
                  <button
                    type="button"
                    className="opener"
                    aria-label={t('discover.document.openAt', { at: stamp(ms) })}
                    aria-pressed={item.index === at}
                  >
                    <span aria-hidden="true">›</span>
                  </button>
                </td>
                <td className="stamp">
                  <time dateTime={new Date(ms).toISOString()} title={new Date(ms).toISOString()}>
                    {stamp(ms)}
                  </time>
                </td>
                {columns.map((column) => (
                  <td key={column} className={classFor(column)}>
                    <Cell hit={hit} column={column} />
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 ? <tr className="gap" style={{ height: below }} /> : null}
        </tbody>
      </table>
      {props.end}
    </section>
  );
}
