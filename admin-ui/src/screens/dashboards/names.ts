// Words of what a panel may be.
import type { MessageKey } from '../../i18n/i18n';
import type { Unit } from '../../shared/chart/types';
import type { Kind, Of, Sized } from './document';
import type { Difference } from './draft';

export const KIND_WORDS: Record<Kind, MessageKey> = {
  line: 'dashboards.kind.line',
  area: 'dashboards.kind.area',
  bar: 'dashboards.kind.bar',
  metric: 'dashboards.kind.metric',
  gauge: 'dashboards.kind.gauge',
  table: 'dashboards.kind.table',
  pie: 'dashboards.kind.pie',
  treemap: 'dashboards.kind.treemap',
  heatmap: 'dashboards.kind.heatmap',
  map: 'dashboards.kind.map',
  markdown: 'dashboards.kind.markdown',
};

export const OF_WORDS: Record<Of, MessageKey> = {
  count: 'dashboards.of.count',
  avg: 'dashboards.of.avg',
  max: 'dashboards.of.max',
  min: 'dashboards.of.min',
  sum: 'dashboards.of.sum',
  percentile: 'dashboards.of.percentile',
  last: 'dashboards.of.last',
  unique: 'dashboards.of.unique',
  rate: 'dashboards.of.rate',
};

export const SIZED_WORDS: Record<Sized, MessageKey> = {
  hosts: 'dashboards.sized.hosts',
  memory: 'dashboards.sized.memory',
};

export const UNIT_WORDS: Record<Unit, MessageKey> = {
  count: 'dashboards.unit.count',
  percent: 'dashboards.unit.percent',
  bytes: 'dashboards.unit.bytes',
  'bytes/s': 'dashboards.unit.bytesPerSecond',
  'per second': 'dashboards.unit.perSecond',
  ms: 'dashboards.unit.ms',
};

export const DIFFERENCE_WORDS: Record<Difference['what'], MessageKey> = {
  added: 'dashboards.diff.added',
  removed: 'dashboards.diff.removed',
  changed: 'dashboards.diff.changed',
  moved: 'dashboards.diff.moved',
};

/** Shipped dashboards in the reader's language, by name. */
export const SHIPPED_WORDS: Record<string, MessageKey> = {
  'docker-overview': 'dashboards.shipped.docker',
  host: 'dashboards.shipped.host',
  container: 'dashboards.shipped.container',
  logs: 'dashboards.shipped.logs',
  storage: 'dashboards.shipped.storage',
  platform: 'dashboards.shipped.platform',
};
