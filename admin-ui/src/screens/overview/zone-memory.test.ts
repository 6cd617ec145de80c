import { expect, test } from 'vitest';
import type { SearchAnswer } from '../../api/monitor';
import { untold, zoneBody, zoneSeries } from './zone-memory';

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

/** Zones with how many hosts told something in the span, and at its end. */
function told(zones: Record<string, [of: number, lately: number]>): SearchAnswer {
  return {
    took: 1,
    hits: { hits: [] },
    aggregations: {
      zone: {
        buckets: Object.entries(zones).map(([key, [of, lately]]) => ({
          key,
          doc_count: 1,
          hosts: { value: of },
          lately: { doc_count: 1, hosts: { value: lately } },
        })),
      },
    },
  };
}

test('of a span that is over, hosts that told nothing at its end are missing from the sum', () => {
  expect(untold(told({ z1: [3, 3], z2: [2, 1] }), undefined)).toEqual({
    missing: 1,
    of: 5,
    zones: [{ zone: 'z2', missing: 1 }],
  });
  expect(untold(told({ z1: [3, 3] }), undefined).zones).toEqual([]);
});

test('of one that ends now, those that directors know, also in zones of which nobody told anything', () => {
  const known = [
    { name: 'z10', hosts: 1 },
    { name: 'z2', hosts: 4 },
  ];
  expect(untold(told({ z2: [2, 2] }), known)).toEqual({
    missing: 3,
    of: 5,
    zones: [
      { zone: 'z2', missing: 2 },
      { zone: 'z10', missing: 1 },
    ],
  });
});

test('a host or a zone that was taken out of the platform is not missing', () => {
  expect(untold(told({ z1: [5, 4], gone: [2, 0] }), [{ name: 'z1', hosts: 4 }]).zones).toEqual([]);
});

test('of zones that are not drawn nothing is said', () => {
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`z${at}`, [1, 1]]));
  const known = [{ name: 'z99', hosts: 7 }];
  expect(untold(told(many as Record<string, [number, number]>), known)).toEqual({
    missing: 0,
    of: 12,
    zones: [],
  });
});

test('what hosts told at the end of the span is asked for', () => {
  const body = JSON.stringify(zoneBody({ from: 0, to: 600_000, bucketMs: 60_000 }));
  expect(body).toContain('"lately":{"filter":{"range":{"@timestamp":{"gte":540000,"lt":600000');
});
