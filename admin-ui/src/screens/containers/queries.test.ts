import { expect, test } from 'vitest';
import type { SearchAnswer } from '../../api/monitor';
import {
  containerMetrics,
  endsBody,
  endsOf,
  engineEvents,
  lastEndBody,
  lastLinesBody,
  ofContainer,
  oomCounts,
  wordsOf,
} from './queries';

const words = {
  used: 'Used',
  total: 'Total',
  user: 'User',
  kernel: 'Kernel',
  throttled: 'Held back',
  received: 'Received',
  sent: 'Sent',
  read: 'Read',
  written: 'Written',
};

test('a container is found by its host and name, so that one made anew goes on in the charts', () => {
  expect(ofContainer('h1', 'web')).toEqual([
    { term: { 'host.name': 'h1' } },
    { term: { 'container.name': 'web' } },
  ]);
  expect(wordsOf('h1', 'web "2"')).toBe('host.name:"h1" AND container.name:"web \\"2\\""');
});

test('every chart of a container reads what collectors write of containers', () => {
  const metrics = Object.values(containerMetrics([], words));
  for (const metric of metrics) {
    expect(metric.stream).toMatch(/^metrics-docker\.(memory|cpu|network|diskio)-default$/);
    const set = /docker\.(\w+)/.exec(metric.stream)?.[1];
    for (const one of metric.measures) expect(one.field).toContain(`docker.${set}.`);
  }
});

test('shares of a processor are shown in percent, counters of disks per second', () => {
  const { cpu, disk } = containerMetrics([], words);
  expect(cpu.measures.every((one) => one.times === 100)).toBe(true);
  expect(disk.measures.every((one) => one.as === 'rate')).toBe(true);
});

test('ends are told apart by what the engine called them', () => {
  expect(Object.keys(endsBody('h', 'c', { from: 0, to: 1 }).aggs as object)).toEqual(['died', 'oom']);
  const answer: SearchAnswer = {
    took: 1,
    hits: { hits: [] },
    aggregations: { died: { doc_count: 3 }, oom: { doc_count: 1 } },
  };
  expect(endsOf(answer)).toEqual({ died: 3, oom: 1 });
});

test('what the engine said has its time, exit code and signal', () => {
  const answer: SearchAnswer = {
    took: 1,
    hits: {
      hits: [
        {
          _id: '1',
          _index: 'i',
          _source: {
            '@timestamp': '2026-01-01T00:00:00.000Z',
            docker: {
              event: {
                action: 'die',
                from: 'web:1',
                id: 'c',
                actor: { attributes: { exitCode: '137', signal: '9' } },
              },
            },
          },
        },
      ],
    },
  };
  expect(engineEvents(answer)).toEqual([
    {
      id: '1',
      at: Date.UTC(2026, 0, 1),
      action: 'die',
      image: 'web:1',
      containerId: 'c',
      exitCode: '137',
      signal: '9',
    },
  ]);
});

test('containers of one name on two hosts are counted apart', () => {
  const name = (count: number) => ({ buckets: [{ key: 'web', doc_count: count }] });
  const counts = oomCounts({
    took: 1,
    hits: { hits: [] },
    aggregations: {
      host: {
        buckets: [
          { key: 'h1', doc_count: 2, name: name(2) },
          { key: 'h2', doc_count: 1, name: name(1) },
        ],
      },
    },
  });
  expect([...counts]).toEqual([
    ['h1 web', 2],
    ['h2 web', 1],
  ]);
});

test('the lines before an end are the last ones until then', () => {
  expect(lastLinesBody([], 5, 20)).toMatchObject({
    size: 20,
    query: { bool: { filter: [{ range: { '@timestamp': { lte: 5 } } }] } },
  });
});

test('the last end is the newest that the engine told of that container', () => {
  const body = lastEndBody('h', 'c', { from: 0, to: 1 });
  expect(body).toMatchObject({ size: 1, sort: [{ '@timestamp': { order: 'desc' } }] });
  expect(JSON.stringify(body.query)).toContain('{"term":{"docker.event.action":"die"}}');
  expect(JSON.stringify(body.query)).toContain('{"term":{"docker.event.actor.attributes.name":"c"}}');
});
