import { expect, test } from 'vitest';
import { bodyOf, seriesOf } from '../../shared/metrics/query';
import { deploymentMetrics, lastErrorsBody, lastErrorsOf } from './queries';

const range = { from: 0, to: 600_000, bucketMs: 10_000 };

test('each instance of a deployment has a line of its own, told by id whose it is', () => {
  for (const metric of Object.values(deploymentMetrics('d1'))) {
    expect(metric.filter[0]).toEqual({ term: { 'wharf.deployment.id': 'd1' } });
    expect(metric.split?.field).toBe('wharf.instance.name');
  }
  const over = { buckets: [{ key: 0, doc_count: 1, used: { value: 7 } }] };
  const answer = {
    took: 1,
    hits: { hits: [] },
    aggregations: { split: { buckets: [{ key: 'storage-0', doc_count: 1, over }] } },
  };
  expect(seriesOf(deploymentMetrics('d1').memory, answer)).toEqual([
    { id: 'storage-0', label: 'storage-0', points: [[0, 7]] },
  ]);
});

test('what instances tell themselves comes every 30 seconds and is not cut finer', () => {
  expect(JSON.stringify(bodyOf(deploymentMetrics('d1').written, range))).toContain('"30000ms"');
});

test('the last error lines are asked of the failing instances alone', () => {
  expect(lastErrorsBody(['i1', 'i2'], 5, 100_000_001)).toMatchObject({
    query: {
      bool: {
        filter: [
          { terms: { 'wharf.instance.id': ['i1', 'i2'] } },
          {},
          { range: { '@timestamp': { gte: 13_620_000, lt: 100_020_000 } } },
        ],
      },
    },
    aggs: { instance: { terms: { size: 2 }, aggs: { last: { top_hits: { size: 5 } } } } },
  });
});

test('error lines of an instance are read in the order in which they were written', () => {
  const hit = (at: string, message: string) => ({ _id: message, _source: { '@timestamp': at, message } });
  const hits = [hit('2026-01-01T00:00:02Z', 'second'), hit('2026-01-01T00:00:01Z', 'first')];
  const lines = lastErrorsOf({
    took: 1,
    hits: { hits: [] },
    aggregations: { instance: { buckets: [{ key: 'i1', doc_count: 2, last: { hits: { hits } } }] } },
  });
  expect(lines.get('i1')?.map((one) => one.message)).toEqual(['first', 'second']);
  expect(lastErrorsOf(undefined).size).toBe(0);
});
