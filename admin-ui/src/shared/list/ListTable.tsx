// A list of the director's: page, order, search and filters are asked of the server and kept in the
// URL. Long pages draw only the rows that are seen. Not here: columns and what rows mean (screens).
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { Button, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { call, keyOf } from '../../api/call';
import { monitorCall, monitorKey } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import type { ListInfo } from '../../generated/wharf/v1/common_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ActionButton } from '../ActionButton';
import { ApiRequest } from '../ApiRequest';
import { DataState } from '../DataState';
import { Empty } from '../Empty';
import { useSearchParams } from '../use-search-params';
import { ListSearch } from './ListSearch';
import { cleared, optionsOf, readState, SIZES, writeState } from './list-state';
import { type Column, Rows } from './Rows';

export interface Choice {
  field: string;
  label: string;
  values: { value: string; label: string }[];
}

interface ListTableProps<I extends DescMessage, O extends DescMessage, Row> {
  label: string;
  /** Shown before the tools, where the page has more than this list. */
  title?: string;
  method: DescMethodUnary<I, O>;
  /** Asked of this deployment's monitoring node and not of the director. */
  deployment?: string;
  input: (options: ReturnType<typeof optionsOf>) => MessageInitShape<I>;
  rows: (answer: MessageShape<O>) => readonly Row[];
  info: (answer: MessageShape<O>) => ListInfo | undefined;
  columns: Column<Row>[];
  rowKey: (row: Row) => string;
  defaultSort: string;
  /** The field that the search box looks into. */
  search?: { field: string; label: MessageKey };
  choices?: Choice[];
  /** A filter that is not the reader's to change. */
  fixed?: string;
  /** Tells the lists of one page apart in its URL. */
  prefix?: string;
  every?: number;
  /** What divides the rows under headings; the server has ordered them by it. */
  group?: ((row: Row) => string) | undefined;
  groupNote?: (rows: readonly Row[]) => ReactNode;
  /** Rows open to what is in them: nothing of one that is closed. */
  inside?: (row: Row) => ReactNode;
  /** The prefix of the list in a row that is open: it begins at its first page when this one asks for others. */
  innerPrefix?: string;
  /** Of every row that matches, over all pages. */
  sum?: (answer: MessageShape<O>) => ReactNode;
  empty: { title: string; hint?: ReactNode };
  tools?: ReactNode;
}

// The library's guard against data that is a function cannot see that a message is none.
const kept = keepPreviousData as never;

export function ListTable<I extends DescMessage, O extends DescMessage, Row>(
  props: ListTableProps<I, O, Row>,
) {
  const t = useT();
  const format = useFormat();
  const prefix = props.prefix ?? '';
  const [params, setParams] = useSearchParams();
  const state = readState(params, prefix, props.defaultSort);
  const input = props.input(optionsOf(state, props.search?.field, props.fixed));
  const { method, deployment } = props;
  const query = useQuery<MessageShape<O>, Error, MessageShape<O>, readonly unknown[]>({
    queryKey: deployment ? monitorKey(method, deployment, input) : keyOf(method, input),
    queryFn: ({ signal }) =>
      deployment ? monitorCall(method, deployment, input, signal) : call(method, input, signal),
    placeholderData: kept,
    ...(props.every ? { refetchInterval: Math.max(props.every, 5_000) } : {}),
  });
  const within = (params: URLSearchParams) =>
    props.innerPrefix === undefined ? params : writeState(params, props.innerPrefix, {});
  const change = (what: Parameters<typeof writeState>[2], push = false) =>
    setParams((now) => within(writeState(now, prefix, what)), { replace: !push });
  const filtered = state.search !== '' || Object.keys(state.filters).length > 0;
  const known = new Set(props.choices?.map((choice) => choice.field));
  const others = Object.entries(state.filters).filter(([field]) => !known.has(field));

  return (
    <div className="list" aria-busy={query.isPlaceholderData}>
      <div className="list-tools">
        {props.title ? <h2>{props.title}</h2> : null}
        {props.search ? (
          <ListSearch label={t(props.search.label)} value={state.search} onChange={(q) => change({ q })} />
        ) : null}
        {props.choices?.map((choice) => (
          <FormSelect
            key={choice.field}
            aria-label={choice.label}
            value={state.filters[choice.field] ?? ''}
            onChange={(_, value) => change({ [`f.${choice.field}`]: value })}
          >
            <FormSelectOption value="" label={`${choice.label}: ${t('list.all')}`} />
            {choice.values.map((one) => (
              <FormSelectOption key={one.value} value={one.value} label={`${choice.label}: ${one.label}`} />
            ))}
          </FormSelect>
        ))}
        {others.map(([field, value]) => (
          <Button
            key={field}
            variant="tertiary"
            size="sm"
            aria-label={t('list.clearFilter', { field })}
            onClick={() => change({ [`f.${field}`]: '' })}
          >
            {field} = {value} ✕
          </Button>
        ))}
        {props.tools}
        <span className="spacer" />
        {query.data ? (
          <span className="quiet total">
            {t('list.total', { total: format.number(props.info(query.data)?.total ?? 0n) })}
          </span>
        ) : null}
        <ApiRequest plain method={method} input={input} {...(deployment ? { deployment } : {})} />
      </div>
      <DataState query={query} lines={8}>
        {(answer) => {
          const rows = props.rows(answer);
          const next = props.info(answer)?.nextPageToken ?? '';
          if (rows.length === 0) {
            return filtered || state.after ? (
              <Empty title={t('list.none')}>
                <Button
                  variant="link"
                  isInline
                  onClick={() => setParams((now) => within(cleared(now, prefix)))}
                >
                  {t('list.clear')}
                </Button>
              </Empty>
            ) : (
              <Empty title={props.empty.title}>{props.empty.hint}</Empty>
            );
          }
          return (
            <>
              {props.sum?.(answer)}
              <Rows
                label={props.label}
                columns={props.columns}
                rows={rows}
                rowKey={props.rowKey}
                sort={state.sort}
                descending={state.descending}
                group={props.group}
                groupNote={props.groupNote}
                inside={props.inside}
                onSort={(field, descending) => change({ sort: descending ? `${field} desc` : field })}
              />
              {next || state.page > 1 ? (
                <nav className="pager" aria-label={t('list.pages')}>
                  <ActionButton
                    variant="link"
                    whyNot={state.page === 1 ? t('list.first.here') : undefined}
                    onClick={() => change({ after: '', page: '' }, true)}
                  >
                    {t('list.first')}
                  </ActionButton>
                  <span className="quiet">{t('list.page', { page: state.page })}</span>
                  <ActionButton
                    variant="link"
                    whyNot={next ? undefined : t('list.next.none')}
                    onClick={() => change({ after: next, page: String(state.page + 1) }, true)}
                  >
                    {t('list.next')}
                  </ActionButton>
                  <FormSelect
                    aria-label={t('list.size')}
                    value={String(state.size)}
                    onChange={(_, size) => change({ size })}
                  >
                    {SIZES.map((size) => (
                      <FormSelectOption key={size} value={String(size)} label={t('list.perPage', { size })} />
                    ))}
                  </FormSelect>
                </nav>
              ) : null}
            </>
          );
        }}
      </DataState>
    </div>
  );
}
