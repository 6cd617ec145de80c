import { expect, test } from 'vitest';
import type { SearchAnswer } from '../../api/monitor';
import { zoneBody, zoneSeries } from './zone-memory';

function answer(zones: Record<string, [key: number, used: number | null, hosts: number][]>): SearchAnswer {
  return {
    took: 1,
    hits: { hits: [] },
    aggregations: {
      zone: {
        buckets: Object.entries(zones).map(([key, over]) => ({
          key,
          doc_count: 1,
          over: {
            buckets: over.map(([at, used, hosts]) => ({
              key: at,
              doc_count: 1,
              used: { value: used },
              hosts: { value: hosts },
            })),
          },
        })),
      },
    },
  };
}

test('a zone uses what a host of it uses on average, as often as it has hosts', () => {
  const series = zoneSeries(
    answer({
      z2: [[10, 5, 1]],
      z1: [
        [10, 4, 3],
        [20, null, 0],
      ],
    }),
    undefined,
    0,
  );
  expect(series.map(({ label, points }) => [label, points])).toEqual([
    [
      'z1',
      [
        [10, 12],
        [20, null],
      ],
    ],
    ['z2', [[10, 5]]],
  ]);
});

test('the earlier span lies over this one, where the zone was there then', () => {
  const series = zoneSeries(
    answer({ z1: [[110, 4, 1]], z2: [[110, 5, 1]] }),
    answer({ z1: [[10, 3, 1]] }),
    100,
  );
  expect(series[0]?.previous).toEqual([[110, 3]]);
  expect(series[1]?.previous).toBeUndefined();
});

test('no bucket is shorter than what hosts tell', () => {
  expect(JSON.stringify(zoneBody({ from: 0, to: 60_000, bucketMs: 1_000 }))).toContain('"10000ms"');
});
