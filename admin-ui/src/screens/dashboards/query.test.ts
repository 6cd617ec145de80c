import { expect, test } from 'vitest';
import type { Panel } from './document';
import { askOf, bucketOf, filled, titled } from './query';

const HOUR = { from: 0, to: 3_600_000 };
const panel = (more: Partial<Panel>): Panel => ({
  id: 'p',
  kind: 'line',
  title: 'P',
  at: { x: 0, y: 0, w: 6, h: 6 },
  index: ['metrics-docker.cpu-*'],
  metrics: [{ of: 'avg', field: 'docker.cpu.total.pct' }],
  ...more,
});
const host = { name: 'host', field: 'host.name', value: 'h1' };

test('a line of the largest by a field asks for a histogram within terms that are ordered by the value', () => {
  const ask = askOf(panel({ split: ['container.name'], size: 5 }), HOUR, []);
  expect(ask?.indices).toEqual(['metrics-docker.cpu-*']);
  expect(ask?.body).toMatchObject({
    size: 0,
    aggs: {
      s0: {
        terms: { field: 'container.name', size: 5, order: { o: 'desc' } },
        aggs: {
          o: { avg: { field: 'docker.cpu.total.pct' } },
          t: {
            date_histogram: { field: '@timestamp', fixed_interval: '30000ms' },
            aggs: { m0: { avg: { field: 'docker.cpu.total.pct' } } },
          },
        },
      },
    },
  });
});

test('buckets hold a sample of everyone, and two where growth is asked for', () => {
  const minute = 60_000;
  expect(bucketOf(panel({}), minute)).toBe(10_000);
  expect(bucketOf(panel({ period: 60 }), minute)).toBe(60_000);
  expect(bucketOf(panel({ metrics: [{ of: 'rate', field: 'a' }] }), minute)).toBe(30_000);
  expect(bucketOf(panel({ each: ['container.name'] }), minute)).toBe(30_000);
  expect(bucketOf(panel({ metrics: [{ of: 'count' }] }), minute)).toBe(1_000);
});

test('what is added up is bounded by what the storage answers with', () => {
  const sizes = (more: Partial<Panel>) => {
    const text = JSON.stringify(askOf(panel(more), HOUR, [])?.body.aggs);
    return [...text.matchAll(/"e\d":\{"terms":\{"field":"[^"]+","size":(\d+)/g)].map((one) => Number(one[1]));
  };
  const each = ['container.id'];
  expect(sizes({ kind: 'pie', split: ['service.name'], each })).toEqual([200]);
  expect(sizes({ each })).toEqual([200]);
  expect(sizes({ split: ['container.name'], size: 10, each }), 'each has its course over time').toEqual([49]);
  expect(sizes({ split: ['container.name'], size: 8, each: [...each, 'name'] })).toEqual([30, 200]);
});

test('a variable filters what does not ignore it', () => {
  const query = (more: Partial<Panel>) => JSON.stringify(askOf(panel(more), HOUR, [host])?.body.query);
  expect(query({})).toContain('{"term":{"host.name":"h1"}}');
  expect(query({ ignores: ['host'] })).not.toContain('h1');
  const all = JSON.stringify(askOf(panel({}), HOUR, [{ ...host, value: '' }])?.body.query);
  expect(all, 'all hosts need no filter').not.toContain('host.name');
});

test('a value of a variable cannot end its quotes', () => {
  expect(filled('host.name:$host', [{ ...host, value: 'a" OR "\\' }])).toBe('host.name:"a\\" OR \\"\\\\"');
  expect(filled('host.name:$host', [{ ...host, value: '' }])).toBe('host.name:*');
  expect(filled('price:$5 $other', [host])).toBe('price:$5 $other');
  expect(titled('CPU of $host', [host], 'All')).toBe('CPU of h1');
  expect(titled('CPU of $host', [{ ...host, value: '' }], 'All')).toBe('CPU of All');
});

test('what has no field or draws text asks for nothing', () => {
  expect(askOf(panel({ metrics: [{ of: 'avg', field: '' }] }), HOUR, [])).toBeUndefined();
  expect(askOf(panel({ kind: 'markdown' }), HOUR, [])).toBeUndefined();
  expect(askOf(panel({ metrics: [] }), HOUR, [])).toBeUndefined();
});

test('each kind of value has its aggregation', () => {
  const agg = (metric: NonNullable<Panel['metrics']>[number]) => {
    const body = askOf(panel({ kind: 'table', metrics: [metric] }), HOUR, [])?.body;
    return (body?.aggs as Record<string, unknown> | undefined)?.m0;
  };
  expect(agg({ of: 'percentile', field: 'f', percentile: 99 })).toEqual({
    percentiles: { field: 'f', percents: [99] },
  });
  expect(agg({ of: 'unique', field: 'f' })).toEqual({ cardinality: { field: 'f' } });
  expect(agg({ of: 'last', field: 'f' })).toEqual({
    top_metrics: { metrics: [{ field: 'f' }], sort: { '@timestamp': 'desc' } },
  });
  expect(agg({ of: 'count' })).toBeUndefined();
});

test('a map asks for the value of each zone', () => {
  const { body } = askOf(panel({ kind: 'map', split: ['cloud.availability_zone'] }), HOUR, []) ?? {};
  expect(body).toMatchObject({
    size: 0,
    aggs: {
      s0: {
        terms: { field: 'cloud.availability_zone', size: 100 },
        aggs: { m0: { avg: { field: 'docker.cpu.total.pct' } } },
      },
    },
  });
});
