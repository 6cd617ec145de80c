// Discover: documents of any data stream of a deployment, searched, over time, and followed as they come.
// Everything that is chosen is in the URL.
import { Button } from '@patternfly/react-core';
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import { useT } from '../../i18n/i18n';
import { CopyButton } from '../../shared/CopyButton';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataNone, PartialData } from '../../shared/DataNone';
import { Loading } from '../../shared/DataState';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { Empty } from '../../shared/Empty';
import { PageHead } from '../../shared/PageHead';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { Refused } from '../../shared/Refused';
import { queryString } from '../../shared/search/build';
import { fieldName } from '../../shared/search/discover-link';
import { isRelative } from '../../shared/time/range';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { useNow } from '../../shared/When';
import './ask.css';
import './discover.css';
import './documents.css';
import './fields.css';
import { DocumentFlyout } from './DocumentFlyout';
import { Documents } from './Documents';
import { Export } from './Export';
import { Facets } from './Facets';
import { Fields } from './Fields';
import { FollowBar } from './FollowBar';
import { merged } from './lines';
import { isNewest, type Order, readOrder, writeOrder } from './order';
import { PAGE, pageBody } from './requests';
import { Streams } from './Streams';
import { MOST_KEPT, useFollow, usePages } from './use-documents';
import { useKnownFields } from './use-known-fields';
import { useOverTime } from './use-over-time';
import { Views } from './Views';
import {
  areLogs,
  columnsFor,
  everything,
  joined,
  lastingLink,
  readView,
  toggled,
  USUAL,
  type ViewState,
  withClause,
  writeView,
} from './view-state';

const QueryBar = lazy(() => import('./QueryBar'));
const CHART_HEIGHT = 96;
const AT_TOP = 8;
/** The chart of what is followed moves on so often. */
const CHART_MS = 10_000;

/** The span of the list; while lines are followed it stands still, so that pages stay what they are. */
function useListSpan({ follow, q, indices }: ViewState) {
  const range = useTimeRange();
  const { from, to, raw } = range;
  const key = follow ? JSON.stringify([raw.from, raw.to, q, indices]) : `${from} ${to}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when it is another
  const span = useMemo(() => ({ from, to }), [follow, key]);
  return { range, span };
}

export default function Discover() {
  const t = useT();
  const format = useFormat();
  const deployment = useDeployment();
  const [params, setParams] = useSearchParams();
  const state = useMemo(() => readView(params), [params]);
  const { q, follow, order } = state;
  const { range, span } = useListSpan(state);
  const box = useRef<HTMLElement>(null);
  const [paused, setPaused] = useState(false);
  const [draft, setDraft] = useState(q);
  useEffect(() => setDraft(q), [q]);

  const streams = useMonitorCall(
    Search.method.listDataStreams,
    { options: { pageSize: 1000, orderBy: 'name' }, withIndices: true },
    { every: 60_000 },
  );
  const names = useMemo(
    () => streams.data?.dataStreams.map((one) => one.name) ?? (streams.error ? [...USUAL] : []),
    [streams.data, streams.error],
  );
  const { indices: chosen, columns: wanted } = state;
  const indices = useMemo(() => (chosen.length > 0 ? chosen : everything(names)), [chosen, names]);
  const columns = useMemo(() => (wanted.length > 0 ? wanted : columnsFor(indices)), [wanted, indices]);
  const asks = indices.length > 0;

  const change = useCallback(
    (to: Partial<ViewState>, replace = false) => setParams((now) => writeView(now, to), { replace }),
    [setParams],
  );
  const { renew } = range;
  const ask = useCallback(
    (to: Partial<ViewState>) => {
      change({ ...to, doc: '' });
      // What is asked anew while it is followed ends now, not when the following began.
      if (follow) renew();
    },
    [change, follow, renew],
  );
  const query = useCallback((next: string) => ask({ q: next }), [ask]);
  const fields = useKnownFields(indices, asks);
  const sort = (by: Order) => {
    box.current?.scrollTo({ top: 0 });
    change({ order: by, doc: '' });
  };
  const filter = (field: string, value: string, out: boolean) => query(withClause(q, field, value, out));

  const listing = { deployment, indices, q, span, columns, order };
  const pages = usePages(listing, asks);
  const tail = useFollow(listing, pages.hits, follow && pages.query.isSuccess, paused);
  const hits = useMemo(
    () => (follow ? merged(tail.fresh, pages.hits, MOST_KEPT) : pages.hits),
    [follow, tail.fresh, pages.hits],
  );

  const clock = useNow(follow ? CHART_MS : 0);
  const until = follow ? Math.max(span.to, Math.ceil(clock / CHART_MS) * CHART_MS) : span.to;
  const chart = useMemo(() => ({ from: until - (span.to - span.from), to: until }), [span, until]);
  const by = range.previous ? range.from - range.previous.from : 0;
  const overTime = useOverTime({ indices, q, span: chart, by, enabled: asks });
  const total = overTime.now.data?.hits.total?.value;

  // What is followed ends now.
  const ended = follow && !isRelative(range.raw.to);
  const { set } = range;
  useEffect(() => {
    if (ended) set({ from: 'now-15m', to: 'now' });
  }, [ended, set]);
  const { release } = tail;
  useEffect(() => {
    if (!paused) release();
  }, [paused, release]);
  const resume = () => {
    box.current?.scrollTo({ top: 0 });
    setPaused(false);
  };
  const turn = () => {
    setPaused(false);
    box.current?.scrollTo({ top: 0 });
    change({ follow: !follow });
    renew();
  };

  const { fetchNextPage, refetch, isFetchNextPageError } = pages.query;
  const fetchMore = useCallback(() => void fetchNextPage(), [fetchNextPage]);
  // What was refused is asked for again by the reader, and what would not be kept is not asked for.
  const more = pages.query.hasNextPage && !isFetchNextPageError && (!follow || hits.length < MOST_KEPT);
  const at = hits.findIndex((hit) => hit._id === state.doc);
  const step = (by: -1 | 1) => {
    const hit = at < 0 ? undefined : hits[at + by];
    return hit ? () => change({ doc: hit._id }, true) : undefined;
  };
  const saved = {
    indices: chosen,
    q,
    columns: wanted,
    ...(isNewest(order) ? {} : { sort: writeOrder(order) }),
    from: range.raw.from,
    to: range.raw.to,
  };
  const { error } = pages.query;
  const isLogs = areLogs(chosen);
  const loading =
    (pages.query.isPending && (asks || streams.isPending)) ||
    (pages.query.isPlaceholderData && hits.length === 0);
  return (
    <div className="discover" aria-busy={loading || pages.query.isPlaceholderData}>
      <PageHead
        title={isLogs ? t('nav.logs') : t('nav.discover')}
        note={total === undefined ? undefined : t('discover.total', { count: format.number(total) })}
        actions={
          <>
            <DeploymentChoice />
            <Views
              open={state.view}
              now={saved}
              onOpen={(to, name) => {
                const next = writeView(params, {
                  indices: to.indices,
                  q: to.q,
                  columns: to.columns,
                  order: readOrder(to.sort ?? null),
                  view: name,
                  doc: '',
                });
                if (to.from && to.to) {
                  next.set('from', to.from);
                  next.set('to', to.to);
                }
                setParams(next);
                if (follow) renew();
              }}
            />
            <CopyButton text={() => lastingLink(new URL(window.location.href), deployment, span)}>
              {t('discover.copy.link')}
            </CopyButton>
            <Export listing={listing} total={total} />
            <ShowQuery indices={indices} body={pageBody(listing, undefined, PAGE)} deployment={deployment} />
            <TimeRangePicker />
          </>
        }
      />
      <search className="ask">
        <Streams chosen={chosen} names={names} onChoose={(next) => ask({ indices: next })} />
        <Suspense fallback={<div className="query-bar">{draft}</div>}>
          <QueryBar
            text={draft}
            indices={indices}
            span={span}
            wrong={error !== null && q !== ''}
            onChange={setDraft}
            onRun={() => (draft.trim() === q ? range.renew() : query(draft.trim()))}
          />
        </Suspense>
        <Button variant="primary" onClick={() => (draft.trim() === q ? range.renew() : query(draft.trim()))}>
          {t('discover.search')}
        </Button>
        <FollowBar follow={follow} tail={tail} paused={paused} order={order} onTurn={turn} onOrder={sort} />
      </search>
      <div className="found">
        <Fields
          indices={indices}
          none={streams.isSuccess && !asks}
          q={q}
          span={span}
          columns={columns}
          onColumns={(next) => change({ columns: next })}
          onFilter={filter}
        />
        <div className="found-main">
          {overTime.before?.error ? (
            <Refused
              error={overTime.before.error}
              title={t('time.compare.failed')}
              retry={() => void overTime.before?.refetch()}
              busy={overTime.before.isFetching}
            />
          ) : null}
          <TimeChart
            title={t('discover.overTime')}
            unit="count"
            series={overTime.series}
            height={CHART_HEIGHT}
            range={chart}
            stacked
            bars
            onZoom={range.zoom}
            onBack={range.back}
            empty={
              <span className="quiet">
                {overTime.now.isSuccess && !overTime.now.isPlaceholderData ? t('discover.none') : ''}
              </span>
            }
          />
          <Facets aggregations={overTime.now.data?.aggregations} q={q} onQuery={query} />
          <PartialData answers={[...pages.answers, overTime.now.data, overTime.earlier]} />
          <div className="card listed">
            {error ? (
              <Refused
                error={error}
                title={t('discover.failed')}
                retry={() => (isFetchNextPageError ? fetchMore() : void refetch())}
              />
            ) : null}
            {tail.error ? <Refused error={tail.error} title={t('discover.follow.failed')} /> : null}
            {loading ? <Loading lines={12} /> : null}
            {!loading && !error && hits.length === 0 ? (
              asks ? (
                <DataNone
                  indices={indices}
                  title={t('discover.none')}
                  onShow={range.zoom}
                  {...(q ? { filter: [queryString(q)] } : {})}
                />
              ) : (
                <Empty title={t('discover.streams.never')}>{t('discover.streams.never.about')}</Empty>
              )
            ) : null}
            {hits.length > 0 ? (
              <Documents
                box={box}
                hits={hits}
                columns={columns}
                sorting={{ order, fields, follow, onOrder: sort }}
                open={state.doc}
                more={more}
                fetching={pages.query.isFetchingNextPage}
                onMore={fetchMore}
                onOpen={(hit) => change({ doc: hit._id }, state.doc !== '')}
                onColumns={(next) => change({ columns: next })}
                onScroll={(top) => setPaused(follow && top > AT_TOP)}
                end={
                  more ? (
                    <p className="quiet list-end">{t('state.loading')}</p>
                  ) : pages.query.hasNextPage ? null : (
                    <p className="quiet list-end">
                      {t('discover.end', { count: format.number(hits.length) })}
                    </p>
                  )
                }
              />
            ) : null}
            {follow && paused ? (
              <Button className="resume" variant="primary" size="sm" onClick={resume}>
                {tail.held > 0
                  ? t('discover.follow.resume', { count: format.number(tail.held) })
                  : t('discover.follow.resumeNone')}
              </Button>
            ) : null}
          </div>
        </div>
      </div>
      {state.doc ? (
        <DocumentFlyout
          deployment={deployment}
          indices={indices}
          id={state.doc}
          columns={columns}
          previous={step(-1)}
          next={step(1)}
          onFilter={filter}
          onExists={(field) => query(joined(q, `${fieldName(field)}:*`, `NOT ${fieldName(field)}:*`))}
          onColumn={(field) => change({ columns: toggled(columns, field) })}
          onClose={() => change({ doc: '' })}
        />
      ) : null}
    </div>
  );
}
