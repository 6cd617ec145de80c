import { expect, test } from 'vitest';
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import { hostMetrics, networkMetrics, ordered, processesOf } from './queries';

const words = {
  user: 'User',
  system: 'System',
  iowait: 'Waiting',
  steal: 'Stolen',
  used: 'Used',
  swap: 'Swap',
  load1: '1',
  load5: '5',
  load15: '15',
};

test('every chart of a host asks for that host alone', () => {
  const metrics = [
    ...Object.values(hostMetrics('h1', words)),
    ...Object.values(networkMetrics('h1', { established: 'e', listening: 'l', waiting: 'w' })),
  ];
  for (const metric of metrics) {
    expect(metric.stream).toMatch(/^metrics-system\.\w+-default$/);
    expect(metric.filter[0]).toEqual({ term: { 'host.name': 'h1' } });
  }
});

test("the host's own traffic is not counted again on the bridges of its containers", () => {
  expect(JSON.stringify(hostMetrics('h1', words).received.filter)).toContain('"docker"');
});

function hit(
  at: string,
  pid: number,
  cpu: number | undefined,
  rss: number,
  path = '/',
): { _source: JsonObject } {
  return {
    _source: {
      '@timestamp': at,
      process: { pid, name: `p${pid}`, command_line: `p${pid} --run`, cpu: { start_time: at } },
      user: { name: 'root' },
      system: {
        process: {
          state: 'sleeping',
          num_threads: 2,
          memory: { rss: { bytes: rss } },
          cgroup: { path },
          ...(cpu === undefined ? {} : { cpu: { total: { pct: cpu } } }),
        },
      },
    },
  };
}

const id = 'a'.repeat(64);
const answer = {
  took: 1,
  hits: {
    hits: [
      hit('2026-01-01T00:00:10Z', 1, 0.5, 10),
      hit('2026-01-01T00:00:10Z', 2, undefined, 30, `/docker/${id}`),
      hit('2026-01-01T00:00:00Z', 3, 9, 99),
    ],
  },
} as unknown as SearchAnswer;

test('only the last reading of processes is now', () => {
  expect(processesOf(answer).map((one) => one.pid)).toEqual([1, 2]);
});

test('a process tells its share of a processor in percent, and the container that it is in', () => {
  const [first, second] = processesOf(answer);
  expect(first).toMatchObject({ cpu: 50, memory: 10, command: 'p1 --run', containerId: '' });
  expect(second).toMatchObject({ cpu: null, containerId: id });
});

test('those that use the most come first, those not measured yet last', () => {
  const all = processesOf(answer);
  expect(ordered(all, 'cpu').map((one) => one.pid)).toEqual([1, 2]);
  expect(ordered(all, 'memory').map((one) => one.pid)).toEqual([2, 1]);
});
