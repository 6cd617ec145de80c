// What is asked of the storage about a host. Pure: words are arguments.
import type { JsonObject, SearchAnswer } from '../../api/monitor';
import type { Metric } from '../../shared/metrics/query';
import { all, fieldOf, rangeOf, type Span, TIME, termFilter, textOf } from '../../shared/search/build';

export const ENGINE_LINES = ['logs-docker.engine-default'];
export const PROCESSES = 'metrics-system.process-default';

export function ofHost(host: string): JsonObject[] {
  return [termFilter('host.name', host)];
}

const DISK_PERIOD = 60_000;

export interface HostWords {
  user: string;
  system: string;
  iowait: string;
  steal: string;
  used: string;
  swap: string;
  load1: string;
  load5: string;
  load15: string;
}

export type HostMetric =
  | 'cpu'
  | 'memory'
  | 'load'
  | 'filesystem'
  | 'reading'
  | 'writing'
  | 'received'
  | 'sent';

/** Bridges carry what their containers' interfaces and the host's own have counted already. */
const INSIDE: JsonObject = {
  bool: {
    must_not: [
      termFilter('system.network.name', 'lo'),
      { prefix: { 'system.network.name': 'br-' } },
      { prefix: { 'system.network.name': 'docker' } },
      { prefix: { 'system.network.name': 'virbr' } },
    ],
  },
};

function ofInterfaces(filter: readonly JsonObject[], field: string): Metric {
  return {
    stream: 'metrics-system.network-default',
    filter,
    measures: [{ id: field, label: field, field: `system.network.${field}`, as: 'rate' }],
    split: { field: 'system.network.name', most: 10 },
  };
}

function ofDisks(filter: readonly JsonObject[], way: 'read' | 'write'): Metric {
  return {
    stream: 'metrics-system.diskio-default',
    filter,
    measures: [{ id: way, label: way, field: `system.diskio.${way}.bytes`, as: 'rate' }],
    split: { field: 'system.diskio.name', most: 6 },
  };
}

export function hostMetrics(host: string, words: HostWords): Record<HostMetric, Metric> {
  const filter = ofHost(host);
  const outside = [...filter, INSIDE];
  const share = (id: string, label: string) => ({
    id,
    label,
    field: `system.cpu.${id}.norm.pct`,
    as: 'level' as const,
    times: 100,
  });
  return {
    cpu: {
      stream: 'metrics-system.cpu-default',
      filter,
      measures: [
        share('user', words.user),
        share('system', words.system),
        share('iowait', words.iowait),
        share('steal', words.steal),
      ],
    },
    memory: {
      stream: 'metrics-system.memory-default',
      filter,
      measures: [
        { id: 'used', label: words.used, field: 'system.memory.actual.used.bytes', as: 'level' },
        { id: 'swap', label: words.swap, field: 'system.memory.swap.used.bytes', as: 'level' },
      ],
    },
    load: {
      stream: 'metrics-system.load-default',
      filter,
      measures: [
        { id: 'load1', label: words.load1, field: 'system.load.1', as: 'level' },
        { id: 'load5', label: words.load5, field: 'system.load.5', as: 'level' },
        { id: 'load15', label: words.load15, field: 'system.load.15', as: 'level' },
      ],
    },
    filesystem: {
      stream: 'metrics-system.filesystem-default',
      filter,
      measures: [
        { id: 'used', label: words.used, field: 'system.filesystem.used.pct', as: 'highest', times: 100 },
      ],
      split: { field: 'system.filesystem.mount_point', most: 6 },
      periodMs: DISK_PERIOD,
    },
    reading: ofDisks(filter, 'read'),
    writing: ofDisks(filter, 'write'),
    received: ofInterfaces(outside, 'in.bytes'),
    sent: ofInterfaces(outside, 'out.bytes'),
  };
}

export type NetworkMetric = 'received' | 'sent' | 'lost' | 'packets' | 'sockets';

/** All interfaces, those of containers' networks too. */
export function networkMetrics(
  host: string,
  words: { established: string; listening: string; waiting: string },
): Record<NetworkMetric, Metric> {
  const filter = [...ofHost(host), { bool: { must_not: [termFilter('system.network.name', 'lo')] } }];
  const sockets = 'system.socket.summary.tcp.all';
  return {
    received: ofInterfaces(filter, 'in.bytes'),
    sent: ofInterfaces(filter, 'out.bytes'),
    packets: ofInterfaces(filter, 'in.packets'),
    lost: ofInterfaces(filter, 'in.dropped'),
    sockets: {
      stream: 'metrics-system.socket_summary-default',
      filter: ofHost(host),
      measures: [
        { id: 'established', label: words.established, field: `${sockets}.established`, as: 'highest' },
        { id: 'listening', label: words.listening, field: `${sockets}.listening`, as: 'highest' },
        { id: 'waiting', label: words.waiting, field: `${sockets}.time_wait`, as: 'highest' },
      ],
    },
  };
}

/** How far back the last reading of processes may lie. */
export const RECENT_MS = 60_000;
const MOST = 200;

export function processesBody(host: string, span: Span): JsonObject {
  return {
    size: MOST,
    track_total_hits: false,
    _source: [
      TIME,
      'process.pid',
      'process.name',
      'process.command_line',
      'process.cpu.start_time',
      'system.process',
      'user.name',
    ],
    query: all([...ofHost(host), rangeOf(span)]),
    sort: [{ [TIME]: { order: 'desc' } }],
  };
}

export interface Process {
  pid: number;
  name: string;
  user: string;
  state: string;
  command: string;
  started: string;
  /** Percent of one processor; nothing until it was seen twice. */
  cpu: number | null;
  memory: number;
  threads: number;
  files: number | null;
  /** Of the container that it is in. */
  containerId: string;
}

const CONTAINER_ID = /[0-9a-f]{64}/;

/** Those of the last reading. */
export function processesOf(answer: SearchAnswer): Process[] {
  const last = answer.hits.hits[0]?._source[TIME];
  return answer.hits.hits
    .filter((hit) => hit._source[TIME] === last)
    .map(({ _source }) => {
      const number = (path: string) => {
        const found = fieldOf(_source, path);
        return typeof found === 'number' ? found : null;
      };
      const cpu = number('system.process.cpu.total.pct');
      return {
        pid: number('process.pid') ?? 0,
        name: textOf(_source, 'process.name'),
        user: textOf(_source, 'user.name'),
        state: textOf(_source, 'system.process.state'),
        command: textOf(_source, 'process.command_line') || textOf(_source, 'process.name'),
        started: textOf(_source, 'process.cpu.start_time'),
        cpu: cpu === null ? null : cpu * 100,
        memory: number('system.process.memory.rss.bytes') ?? 0,
        threads: number('system.process.num_threads') ?? 0,
        files: number('system.process.fd.open'),
        containerId: CONTAINER_ID.exec(textOf(_source, 'system.process.cgroup.path'))?.[0] ?? '',
      };
    });
}

export type ProcessOrder = 'cpu' | 'memory';

export function ordered(processes: readonly Process[], by: ProcessOrder): Process[] {
  return [...processes].sort((a, b) => (b[by] ?? -1) - (a[by] ?? -1) || a.pid - b.pid);
}

/** What the processes that use the most used over time, by name. */
export function processMetrics(
  host: string,
  words: { cpu: string; memory: string },
): Record<ProcessOrder, Metric> {
  // Only those are measured that are among the first at that moment.
  const split = { field: 'process.name', most: 8, inAll: true };
  return {
    cpu: {
      stream: PROCESSES,
      filter: ofHost(host),
      measures: [
        { id: 'cpu', label: words.cpu, field: 'system.process.cpu.total.pct', as: 'level', times: 100 },
      ],
      split,
    },
    memory: {
      stream: PROCESSES,
      filter: ofHost(host),
      measures: [
        { id: 'memory', label: words.memory, field: 'system.process.memory.rss.bytes', as: 'highest' },
      ],
      split,
    },
  };
}
