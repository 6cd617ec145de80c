// What is asked of the storage about containers. Pure: words are arguments.
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import type { Metric } from '../../shared/metrics/query';
import {
  all,
  bucketsOf,
  countOf,
  fieldOf,
  filtered,
  rangeOf,
  type Span,
  TIME,
  termFilter,
  terms,
  textOf,
} from '../../shared/search/build';
import { allOf, fieldIs } from '../../shared/search/discover-link';

export const LINES = ['logs-docker.container-default'];
export const EVENTS = 'metrics-docker.event-default';

/** A container keeps its host and name when it is made anew, its id not. */
export function ofContainer(host: string, name: string): JsonObject[] {
  return [termFilter('host.name', host), termFilter('container.name', name)];
}

/** The same as the words of a query. */
export function wordsOf(host: string, name: string): string {
  return allOf(fieldIs('host.name', host), fieldIs('container.name', name));
}

export interface ChartWords {
  used: string;
  total: string;
  user: string;
  kernel: string;
  throttled: string;
  received: string;
  sent: string;
  read: string;
  written: string;
}

export type ContainerMetric = 'memory' | 'cpu' | 'throttling' | 'network' | 'disk';

export function containerMetrics(
  filter: readonly JsonObject[],
  words: ChartWords,
): Record<ContainerMetric, Metric> {
  const cpu = 'metrics-docker.cpu-default';
  return {
    memory: {
      stream: 'metrics-docker.memory-default',
      filter,
      measures: [{ id: 'used', label: words.used, field: 'docker.memory.usage.total', as: 'level' }],
    },
    cpu: {
      stream: cpu,
      filter,
      // Of one processor, as everywhere: 250 % are two and a half.
      measures: [
        { id: 'total', label: words.total, field: 'docker.cpu.total.pct', as: 'level', times: 100 },
        { id: 'user', label: words.user, field: 'docker.cpu.user.pct', as: 'level', times: 100 },
        { id: 'kernel', label: words.kernel, field: 'docker.cpu.kernel.pct', as: 'level', times: 100 },
      ],
    },
    throttling: {
      stream: cpu,
      filter,
      measures: [
        {
          id: 'throttled',
          label: words.throttled,
          field: 'docker.cpu.throttled.pct',
          as: 'level',
          times: 100,
        },
      ],
    },
    network: {
      stream: 'metrics-docker.network-default',
      filter,
      measures: [
        { id: 'received', label: words.received, field: 'docker.network.in.bytes', as: 'level' },
        { id: 'sent', label: words.sent, field: 'docker.network.out.bytes', as: 'level' },
      ],
      split: { field: 'docker.network.interface', most: 10, together: true },
    },
    disk: {
      stream: 'metrics-docker.diskio-default',
      filter,
      measures: [
        { id: 'read', label: words.read, field: 'docker.diskio.read.bytes', as: 'rate' },
        { id: 'written', label: words.written, field: 'docker.diskio.write.bytes', as: 'rate' },
      ],
    },
  };
}

const NAME = 'docker.event.actor.attributes.name';
const ACTION = 'docker.event.action';
const EXIT = 'docker.event.actor.attributes.exitCode';

const EVENT_FIELDS = [
  TIME,
  ACTION,
  'docker.event.from',
  'docker.event.id',
  EXIT,
  'docker.event.actor.attributes.signal',
];

function eventsOf(host: string, name: string): JsonObject[] {
  return [
    termFilter('host.name', host),
    termFilter('docker.event.type', 'container'),
    termFilter(NAME, name),
  ];
}

/** What the engine said of a container in that span, newest first. */
export function eventsBody(host: string, name: string, span: Span): JsonObject {
  return {
    size: 200,
    track_total_hits: true,
    _source: EVENT_FIELDS,
    query: all([...eventsOf(host, name), rangeOf(span)]),
    sort: [{ [TIME]: { order: 'desc' } }],
  };
}

/** The last time that it ended in that span. */
export function lastEndBody(host: string, name: string, span: Span): JsonObject {
  return {
    size: 1,
    track_total_hits: false,
    _source: EVENT_FIELDS,
    query: all([...eventsOf(host, name), termFilter(ACTION, 'die'), rangeOf(span)]),
    sort: [{ [TIME]: { order: 'desc' } }],
  };
}

/** How often it ended and ran out of memory in that span. */
export function endsBody(host: string, name: string, span: Span): JsonObject {
  return {
    size: 0,
    track_total_hits: false,
    query: all([...eventsOf(host, name), rangeOf(span)]),
    aggs: {
      died: filtered(termFilter(ACTION, 'die')),
      oom: filtered(termFilter(ACTION, 'oom')),
    },
  };
}

export interface Ends {
  died: number;
  oom: number;
}

export function endsOf(answer: SearchAnswer): Ends {
  const of = (name: string) => countOf(answer.aggregations, name);
  return { died: of('died'), oom: of('oom') };
}

export interface EngineEvent {
  id: string;
  at: number;
  action: string;
  image: string;
  containerId: string;
  exitCode: string;
  signal: string;
}

export function engineEvents(answer: SearchAnswer): EngineEvent[] {
  return answer.hits.hits.map(({ _id, _source }) => ({
    id: _id,
    at: Date.parse(String(fieldOf(_source, TIME) ?? '')) || 0,
    action: textOf(_source, ACTION),
    image: textOf(_source, 'docker.event.from'),
    containerId: textOf(_source, 'docker.event.id'),
    exitCode: textOf(_source, EXIT),
    signal: textOf(_source, 'docker.event.actor.attributes.signal'),
  }));
}

/** Of every container: how often it ran out of memory in that span. Only those that did are named. */
export function oomBody(span: Span): JsonObject {
  return {
    size: 0,
    track_total_hits: false,
    query: all([termFilter(ACTION, 'oom'), termFilter('docker.event.type', 'container'), rangeOf(span)]),
    aggs: { host: terms('host.name', 1_000, { name: terms(NAME, 1_000) }) },
  };
}

/** By `host name`. */
export function oomCounts(answer: SearchAnswer | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  for (const host of bucketsOf(answer?.aggregations, 'host')) {
    for (const name of bucketsOf(host, 'name')) counts.set(`${host.key} ${name.key}`, name.doc_count);
  }
  return counts;
}

/** The last lines until a moment: what a container said before it ended. */
export function lastLinesBody(filter: readonly JsonObject[], until: number, size: number): JsonObject {
  return {
    size,
    track_total_hits: false,
    _source: [TIME, 'message', 'log.level', 'log.offset'],
    query: all([...filter, { range: { [TIME]: { lte: until, format: 'epoch_millis' } } }]),
    sort: [{ [TIME]: { order: 'desc' } }, { 'log.offset': { order: 'desc', unmapped_type: 'long' } }],
  };
}
