import { expect, test } from 'vitest';
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import { ServiceKind } from '../../generated/wharf/monitor/v1/services_pb';
import { servicePath } from './kinds';
import {
  aroundOf,
  errorLines,
  failedRequests,
  isOfNothing,
  linesOf,
  linesSeries,
  lineWords,
  ofService,
  prefixesOf,
  trafficBody,
  trafficSeries,
  wordsOf,
} from './queries';
import { servicesInput, windowOf } from './summary';

const RANGE = { from: 10_000, to: 35_000, bucketMs: 10_000 };
const WORDS = { requests: 'all', refused: '4xx', failed: '5xx', share: 'share' };

function answer(aggregations: JsonObject, sources: JsonObject[] = []): SearchAnswer {
  return {
    took: 1,
    hits: { hits: sources.map((_source, at) => ({ _id: `${at}`, _index: 'i', _source })) },
    aggregations,
  };
}

function bucket(key: number, all: number, failed: number, p95: number | null): JsonObject {
  return {
    key,
    doc_count: all,
    failed: { doc_count: failed },
    refused: { doc_count: 1 },
    latency: { values: { '50.0': null, '95.0': p95, '99.0': null } },
  };
}

const TRAFFIC = answer({
  over: { buckets: [bucket(10_000, 20, 5, 2_500_000), bucket(20_000, 0, 0, null), bucket(30_000, 3, 0, 1)] },
  prefix: {
    buckets: [
      { key: '/quiet', doc_count: 90, failed: { doc_count: 0 } },
      { key: '/bad', doc_count: 9, failed: { doc_count: 4 }, latency: { values: { '95.0': 2_000_000 } } },
    ],
  },
});

test('requests are per second, latency is in milliseconds, and a bucket that is not over yet is left out', () => {
  const { requests, errors, latency } = trafficSeries({ answer: TRAFFIC, range: RANGE }, undefined, WORDS);
  expect(requests.map(({ points }) => points)).toEqual([
    [
      [10_000, 2],
      [20_000, 0],
    ],
    [
      [10_000, 0.1],
      [20_000, 0.1],
    ],
    [
      [10_000, 0.5],
      [20_000, 0],
    ],
  ]);
  expect(errors[0]?.points, 'of no requests there is no share').toEqual([
    [10_000, 25],
    [20_000, null],
  ]);
  expect(latency.find(({ id }) => id === 'p95')?.points).toEqual([
    [10_000, 2.5],
    [20_000, null],
  ]);
});

test('what was before lies over what is now', () => {
  const later = { from: 110_000, to: 135_000, bucketMs: 10_000 };
  const moved = trafficSeries({ answer: undefined, range: later }, { answer: TRAFFIC, range: RANGE }, WORDS);
  expect(moved.requests[0]?.previous).toEqual([
    [110_000, 2],
    [120_000, 0],
  ]);
  expect(moved.requests[2]?.previous, 'only the whole is compared').toBeUndefined();
});

test('parts of the paths with errors come first', () => {
  expect(prefixesOf(TRAFFIC)).toEqual([
    { prefix: '/bad', requests: 9, failed: 4, p95Ms: 2 },
    { prefix: '/quiet', requests: 90, failed: 0, p95Ms: null },
  ]);
});

test('lines that are neither errors nor warnings are the others', () => {
  const lines = answer({
    over: {
      buckets: [{ key: 10_000, doc_count: 9, errors: { doc_count: 2 }, warnings: { doc_count: 3 } }],
    },
  });
  const words = { errors: 'e', warnings: 'w', others: 'o' };
  const series = linesSeries({ answer: lines, range: RANGE }, undefined, words);
  expect(series.map(({ points }) => points[0]?.[1])).toEqual([2, 3, 4]);
  expect(isOfNothing(lines)).toBe(false);
  expect(isOfNothing(answer({}))).toBe(true);
});

test('containers of a deployment are never those of an application of its name', () => {
  expect(JSON.stringify(ofService('web', ServiceKind.DEPLOYMENT))).not.toContain('service.name');
  expect(JSON.stringify(ofService('web', ServiceKind.APPLICATION))).toContain('"must_not"');
  expect(wordsOf('we"b', ServiceKind.DEPLOYMENT)).toBe('wharf.deployment.name:"we\\"b"');
  expect(servicePath({ name: 'a b', kind: ServiceKind.APPLICATION })).toBe(
    '/services/a%20b?kind=application',
  );
  expect(servicePath({ name: 'web', kind: ServiceKind.DEPLOYMENT }, 'from=now-4h')).toBe(
    '/services/web?from=now-4h',
  );
});

test('requests and lines are read from documents, and what they lack is empty', () => {
  const time = '2026-11-29T14:00:00.000Z';
  const [request, bare] = failedRequests(
    answer({}, [
      {
        '@timestamp': time,
        http: { request: { method: 'GET' }, response: { status_code: 503 } },
        url: { path: '/a' },
        event: { duration: 2_000_000 },
        error: { code: 'PRX0002' },
      },
      {},
    ]),
  );
  expect(request).toMatchObject({
    at: Date.parse(time),
    status: '503',
    path: '/a',
    tookMs: 2,
    code: 'PRX0002',
  });
  expect(bare).toMatchObject({ at: 0, status: '', tookMs: null });
  expect(errorLines(answer({}, [{ log: { level: 'error' }, container: { name: 'c' } }]))).toMatchObject([
    { level: 'error', container: 'c', message: '' },
  ]);
});

test('traffic is asked of one deployment in one span', () => {
  const body = JSON.stringify(trafficBody('web', RANGE));
  expect(body).toContain('"wharf.deployment.name":"web"');
  expect(body).toContain('"gte":10000,"lt":35000');
});

test('a summary is of a day at most, and ends where the span ends', () => {
  expect(windowOf(7 * 86_400_000)).toBe(86_400_000);
  expect(servicesInput({ to: 5_000, span: 2_000 }, {})).toEqual({
    windowMs: 2_000n,
    untilMs: 5_000n,
    options: {},
  });
});

test('the lines of a service are those of its span where it has ended, else the last ones', () => {
  const kind = ServiceKind.DEPLOYMENT;
  const own = { term: { 'wharf.deployment.name': 'web' } };
  expect(linesOf('web', kind, { from: 1, to: 2, raw: { from: 'now-1h', to: 'now' } })).toEqual({
    filter: [own],
  });
  expect(linesOf('web', kind, { from: 1, to: 2, raw: { from: 'now-2d', to: 'now/d' } })).toEqual({
    filter: [own],
    range: { from: 1, to: 2 },
  });
});

test('what lines are narrowed to goes along to Discover', () => {
  const words = (atLeast: '' | 'warn' | 'error', text: string) =>
    lineWords('web', ServiceKind.DEPLOYMENT, atLeast, text);
  expect(words('', ' ')).toBe('wharf.deployment.name:"web"');
  expect(words('error', 'no "room"')).toMatch(
    /^wharf\.deployment\.name:"web" AND log\.level:\(error OR .*emerg\) AND message:"no \\"room\\""$/,
  );
  expect(words('warn', '')).toContain('OR warn OR warning)');
  expect(lineWords('web', ServiceKind.UNSPECIFIED, 'error', '')).toMatch(/^\(.* OR \(.*\)\) AND log\.level/);
});

test('what is around a moment is a quarter of a minute to either side', () => {
  expect(aroundOf(Date.UTC(2026, 10, 29, 12, 0, 20))).toEqual({
    from: '2026-11-29T12:00:05.000Z',
    to: '2026-11-29T12:00:35.000Z',
  });
});
