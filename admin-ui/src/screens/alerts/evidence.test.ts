import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { AlertSchema, AlertState } from '../../generated/wharf/monitor/v1/alerts_pb';
import { WatchSpecSchema } from '../../generated/wharf/monitor/v1/watches_pb';
import { discoverPath, documentsBehind, linesBehind, timeOf } from './evidence';

const HOUR = 3_600_000;
const NOW = 100 * HOUR;
const window = { range: { '@timestamp': { gte: '{{from}}', lt: '{{to}}' } } };

const errors = create(WatchSpecSchema, {
  search: {
    indices: ['logs-docker.container-default'],
    windowMs: 60_000n,
    bodyJson: JSON.stringify({
      query: window,
      aggs: {
        service: {
          terms: { field: 'service.name', size: 1000 },
          aggs: { errors: { filter: { terms: { 'log.level': ['error', 'fatal'] } } } },
        },
      },
    }),
  },
  condition: {
    kind: {
      case: 'each',
      value: {
        buckets: ['service'],
        measure: { of: { case: 'ratio', value: { part: 'errors.doc_count', whole: 'doc_count' } } },
      },
    },
  },
});

function alert(group: [string, string][], state = AlertState.FIRING) {
  return create(AlertSchema, {
    group: group.map(([name, value]) => ({ name, value })),
    state,
    since: timestampFromMs(NOW - HOUR),
    lastFiringAt: timestampFromMs(NOW - 10_000),
  });
}

test('the lines behind a share of errors are the errors of that service', () => {
  const found = linesBehind(errors, alert([['service', 'check"out']]), NOW);
  expect(found.query).toBe('service.name:"check\\"out" AND log.level:("error" OR "fatal")');
  expect(found.whole).toBe(true);
  expect(found.indices).toEqual(['logs-docker.container-default']);
});

test('the time is that of the alert, and never longer than can be read', () => {
  const fires = alert([]);
  expect(timeOf(fires, 60_000, NOW)).toEqual({ from: NOW - HOUR - 300_000, to: NOW });
  expect(timeOf({ ...fires, since: timestampFromMs(0) }, 60_000, NOW)).toEqual({
    from: NOW - 6 * HOUR,
    to: NOW,
  });
  const over = {
    ...fires,
    state: AlertState.RECOVERED,
    since: timestampFromMs(NOW - 1_000),
    lastFiringAt: timestampFromMs(NOW - HOUR),
  };
  expect(timeOf(over, 0, NOW)).toEqual({ from: NOW - HOUR - 300_000, to: NOW - HOUR + 60_000 });
});

test('a watch on metrics leads to the lines of the same container on the same host', () => {
  const oom = create(WatchSpecSchema, {
    search: {
      indices: ['metrics-docker.event-default'],
      bodyJson: JSON.stringify({
        query: { bool: { filter: [window, { term: { 'docker.event.action': 'oom' } }] } },
        aggs: {
          host: {
            terms: { field: 'host.name' },
            aggs: { container: { terms: { field: 'docker.event.actor.attributes.name' } } },
          },
        },
      }),
    },
    condition: {
      kind: {
        case: 'each',
        value: { buckets: ['host', 'container'], measure: { of: { case: 'path', value: 'doc_count' } } },
      },
    },
  });
  const of = alert([
    ['host', 'h1'],
    ['container', 'web'],
  ]);
  const lines = linesBehind(oom, of, NOW);
  expect(lines.indices).toEqual(['logs-docker.container-default']);
  expect(lines.query).toBe('host.name:"h1" AND container.name:"web"');
  expect(documentsBehind(oom, of, NOW).query).toBe(
    'docker.event.action:"oom" AND host.name:"h1" AND docker.event.actor.attributes.name:"web"',
  );
});

test('a key that stands for an absent field asks for both', () => {
  const paths = create(WatchSpecSchema, {
    search: {
      indices: ['logs-wharf.access-default'],
      bodyJson: JSON.stringify({ aggs: { prefix: { terms: { field: 'url.prefix', missing: '/' } } } }),
    },
  });
  expect(linesBehind(paths, alert([['prefix', '/']]), NOW).query).toBe(
    '(url.prefix:"/" OR NOT _exists_:url.prefix)',
  );
});

test('the address carries index, query and an absolute time', () => {
  const url = new URL(
    discoverPath('shop', { indices: ['a', 'b'], query: 'x:"1"', from: 0, to: 1_000, whole: true }),
    'https://d',
  );
  expect(url.pathname).toBe('/discover');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    in: 'shop',
    index: 'a,b',
    q: 'x:"1"',
    from: '1970-01-01T00:00:00.000Z',
    to: '1970-01-01T00:00:01.000Z',
  });
});
