// What is asked of the storage about a service, and what charts are made of the answers. Pure: words are
// arguments.
import type { JsonObject, SearchAnswer, SearchHit } from '../../api/monitor';
import { ServiceKind } from '../../generated/wharf/monitor/v1/services_pb';
import type { ChartSeries } from '../../shared/chart/types';
import { type AtLeast, LEVELS } from '../../shared/logs/lines';
import type { Metric } from '../../shared/metrics/query';
import {
  all,
  type Bucket,
  bucketsOf,
  countOf,
  dateHistogram,
  either,
  exists,
  fieldOf,
  filtered,
  movedBy,
  type Point,
  percentileOf,
  percentiles,
  pointsOf,
  rangeOf,
  type Span,
  TIME,
  termFilter,
  terms,
  termsFilter,
  textOf,
  wholeBuckets,
} from '../../shared/search/build';
import { allOf, ERROR_LEVELS, fieldIs } from '../../shared/search/discover-link';
import { goesOn, isoOf, type RawRange } from '../../shared/time/range';

export const ACCESS = 'logs-wharf.access-default';
export const LINES = 'logs-docker.container-default';

const DEPLOYMENT = 'wharf.deployment.name';
const APPLICATION = 'service.name';
const STATUS = 'http.response.status_code';
const DURATION = 'event.duration';
const LEVEL = 'log.level';
const NS_PER_MS = 1_000_000;
/** Lines and requests that are shown on the page. */
const LAST = 10;
/** Containers with a line of their own. */
const MOST_CONTAINERS = 12;

export interface Buckets extends Span {
  bucketMs: number;
}

/** Documents of containers of a service. A deployment's own are never an application's. */
export function ofService(name: string, kind: ServiceKind): JsonObject {
  const deployment = termFilter(DEPLOYMENT, name);
  const application = all([termFilter(APPLICATION, name)], [exists(DEPLOYMENT)]);
  if (kind === ServiceKind.DEPLOYMENT) return deployment;
  if (kind === ServiceKind.APPLICATION) return application;
  return either([deployment, application]);
}

/** The same as the words of a query. */
export function wordsOf(name: string, kind: ServiceKind): string {
  const deployment = fieldIs(DEPLOYMENT, name);
  const application = allOf(fieldIs(APPLICATION, name), `NOT _exists_:${DEPLOYMENT}`);
  if (kind === ServiceKind.DEPLOYMENT) return deployment;
  if (kind === ServiceKind.APPLICATION) return application;
  return `${deployment} OR (${application})`;
}

const LEVEL_WORDS: Record<AtLeast, string> = {
  '': '',
  warn: `${LEVEL}:(${[...LEVELS.error, ...LEVELS.warn].join(' OR ')})`,
  error: `${LEVEL}:(${LEVELS.error.join(' OR ')})`,
};

/** The lines that a reader has narrowed a service's to, as the words of a query. */
export function lineWords(name: string, kind: ServiceKind, atLeast: AtLeast, text: string): string {
  return allOf(wordsOf(name, kind), LEVEL_WORDS[atLeast], text.trim() ? fieldIs('message', text.trim()) : '');
}

/** What is shown around one moment, in milliseconds to either side. */
const AROUND_MS = 15_000;

/** The span around a moment, as a link has it. */
export function aroundOf(at: number): RawRange {
  return { from: isoOf(at - AROUND_MS), to: isoOf(at + AROUND_MS) };
}

/**
 * The lines of a span that has ended; of one that goes on the last ones, and those before them at will. What they are
 * stands beside the span: whether there are any outside of it is asked without one.
 */
export function linesOf(
  name: string,
  kind: ServiceKind,
  { from, to, raw }: Span & { raw: RawRange },
): { filter: JsonObject[]; range?: Span } {
  return { filter: [ofService(name, kind)], ...(goesOn(raw) ? {} : { range: { from, to } }) };
}

export const FAILED_WORDS = `${STATUS}:>=500`;

function from(status: number, before?: number): JsonObject {
  return { range: { [STATUS]: { gte: status, ...(before ? { lt: before } : {}) } } };
}

export function trafficBody(name: string, range: Buckets): JsonObject {
  return {
    size: 0,
    track_total_hits: false,
    query: all([termFilter(DEPLOYMENT, name), rangeOf(range)]),
    aggs: {
      over: dateHistogram(range, {
        failed: filtered(from(500)),
        refused: filtered(from(400, 500)),
        latency: percentiles(DURATION, [50, 95, 99]),
      }),
      prefix: terms('url.prefix', LAST, {
        failed: filtered(from(500)),
        latency: percentiles(DURATION, [95]),
      }),
    },
  };
}

export function linesBody(filter: JsonObject, range: Buckets): JsonObject {
  return {
    size: 0,
    track_total_hits: false,
    query: all([filter, rangeOf(range)]),
    aggs: {
      over: dateHistogram(range, {
        errors: filtered(termsFilter(LEVEL, ERROR_LEVELS)),
        warnings: filtered(termsFilter(LEVEL, ['warn', 'warning'])),
      }),
    },
  };
}

/** The last requests that were answered with an error. */
export function failedBody(name: string, range: Span): JsonObject {
  return {
    size: LAST,
    track_total_hits: true,
    query: all([termFilter(DEPLOYMENT, name), from(500), rangeOf(range)]),
    sort: [{ [TIME]: { order: 'desc' } }],
  };
}

export function errorLinesBody(filter: JsonObject, range: Span): JsonObject {
  return {
    size: LAST,
    track_total_hits: true,
    _source: [TIME, 'message', LEVEL, 'container.name', 'host.name', 'log.logger'],
    query: all([filter, termsFilter(LEVEL, ERROR_LEVELS), rangeOf(range)]),
    sort: [{ [TIME]: { order: 'desc' } }, { 'log.offset': { order: 'desc', unmapped_type: 'long' } }],
  };
}

export function usageOf(filter: JsonObject, words: { cpu: string; memory: string }) {
  const split = { field: 'container.name', most: MOST_CONTAINERS };
  const cpu: Metric = {
    stream: 'metrics-docker.cpu-default',
    filter: [filter],
    measures: [{ id: 'cpu', label: words.cpu, field: 'docker.cpu.total.pct', as: 'level', times: 100 }],
    split,
  };
  const memory: Metric = {
    stream: 'metrics-docker.memory-default',
    filter: [filter],
    measures: [{ id: 'memory', label: words.memory, field: 'docker.memory.usage.total', as: 'level' }],
    split,
  };
  return { cpu, memory };
}

/** An answer with the span that it is of. */
export interface Answered {
  answer: SearchAnswer | undefined;
  range: Buckets;
}

type Reader = (bucket: Bucket, range: Buckets) => number | null;

function read({ answer, range }: Answered, value: Reader): Point[] {
  const buckets = wholeBuckets(bucketsOf(answer?.aggregations, 'over'), range);
  return pointsOf(buckets, (bucket) => value(bucket, range));
}

const perSecond =
  (count: (bucket: Bucket) => number): Reader =>
  (bucket, { bucketMs }) =>
    (count(bucket) * 1_000) / bucketMs;

const latency =
  (percent: number): Reader =>
  (bucket) => {
    const ns = percentileOf(bucket, 'latency', percent);
    return ns === null ? null : ns / NS_PER_MS;
  };

interface Line {
  id: string;
  label: string;
  value: Reader;
  colour?: string;
  /** Beside what it was before. */
  compared?: boolean;
}

function seriesOf(lines: readonly Line[], now: Answered, before: Answered | undefined): ChartSeries[] {
  return lines.map(({ id, label, value, colour, compared }) => ({
    id,
    label,
    points: read(now, value),
    ...(colour ? { colour } : {}),
    ...(before && compared
      ? { previous: movedBy(read(before, value), now.range.from - before.range.from) }
      : {}),
  }));
}

export interface TrafficWords {
  requests: string;
  refused: string;
  failed: string;
  share: string;
}

export function trafficSeries(now: Answered, before: Answered | undefined, words: TrafficWords) {
  const failed = (bucket: Bucket) => countOf(bucket, 'failed');
  return {
    requests: seriesOf(
      [
        {
          id: 'requests',
          label: words.requests,
          value: perSecond((bucket) => bucket.doc_count),
          colour: 'var(--bar)',
          compared: true,
        },
        {
          id: 'refused',
          label: words.refused,
          value: perSecond((bucket) => countOf(bucket, 'refused')),
          colour: 'var(--warn)',
        },
        { id: 'failed', label: words.failed, value: perSecond(failed), colour: 'var(--bad)' },
      ],
      now,
      before,
    ),
    errors: seriesOf(
      [
        {
          id: 'share',
          label: words.share,
          // Of nothing there is no share.
          value: (bucket) => (bucket.doc_count > 0 ? (failed(bucket) / bucket.doc_count) * 100 : null),
          colour: 'var(--bad)',
          compared: true,
        },
      ],
      now,
      before,
    ),
    latency: seriesOf(
      [50, 95, 99].map((percent) => ({
        id: `p${percent}`,
        label: `p${percent}`,
        value: latency(percent),
        compared: percent === 95,
      })),
      now,
      before,
    ),
  };
}

export function linesSeries(
  now: Answered,
  before: Answered | undefined,
  words: { errors: string; warnings: string; others: string },
): ChartSeries[] {
  const errors = (bucket: Bucket) => countOf(bucket, 'errors');
  const warnings = (bucket: Bucket) => countOf(bucket, 'warnings');
  return seriesOf(
    [
      { id: 'errors', label: words.errors, value: errors, colour: 'var(--bad)', compared: true },
      { id: 'warnings', label: words.warnings, value: warnings, colour: 'var(--warn)' },
      {
        id: 'others',
        label: words.others,
        value: (bucket) => bucket.doc_count - errors(bucket) - warnings(bucket),
        colour: 'var(--bar)',
      },
    ],
    now,
    before,
  );
}

export interface Prefix {
  prefix: string;
  requests: number;
  failed: number;
  p95Ms: number | null;
}

/** Parts of the paths, most errors first. */
export function prefixesOf(answer: SearchAnswer | undefined): Prefix[] {
  const rows = bucketsOf(answer?.aggregations, 'prefix').map((bucket) => ({
    prefix: String(bucket.key),
    requests: bucket.doc_count,
    failed: countOf(bucket, 'failed'),
    p95Ms: latency(95)(bucket, { from: 0, to: 0, bucketMs: 1 }),
  }));
  return rows.sort((a, b) => b.failed - a.failed || b.requests - a.requests);
}

export interface FailedRequest {
  id: string;
  at: number;
  method: string;
  path: string;
  status: string;
  instanceId: string;
  code: string;
  tookMs: number | null;
}

function momentOf({ _source }: SearchHit): number {
  return Date.parse(textOf(_source, TIME)) || 0;
}

export function failedRequests(answer: SearchAnswer): FailedRequest[] {
  return answer.hits.hits.map((hit) => {
    const took = fieldOf(hit._source, DURATION);
    return {
      id: hit._id,
      at: momentOf(hit),
      method: textOf(hit._source, 'http.request.method'),
      path: textOf(hit._source, 'url.path'),
      status: textOf(hit._source, STATUS),
      instanceId: textOf(hit._source, 'wharf.instance.id'),
      code: textOf(hit._source, 'error.code'),
      tookMs: typeof took === 'number' ? took / NS_PER_MS : null,
    };
  });
}

export interface ErrorLine {
  id: string;
  at: number;
  level: string;
  container: string;
  host: string;
  message: string;
}

export function errorLines(answer: SearchAnswer): ErrorLine[] {
  return answer.hits.hits.map((hit) => ({
    id: hit._id,
    at: momentOf(hit),
    level: textOf(hit._source, LEVEL),
    container: textOf(hit._source, 'container.name'),
    host: textOf(hit._source, 'host.name'),
    message: textOf(hit._source, 'message'),
  }));
}

/** Nothing was written in the whole span. */
export function isOfNothing(answer: SearchAnswer): boolean {
  return bucketsOf(answer.aggregations, 'over').every((bucket) => bucket.doc_count === 0);
}

export function totalOf(answer: SearchAnswer): number {
  return answer.hits.total?.value ?? answer.hits.hits.length;
}
