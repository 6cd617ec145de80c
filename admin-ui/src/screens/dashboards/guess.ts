// What a chart of a field most likely is meant to be, from the field's name and type. Pure.
import type { Unit } from '../../shared/chart/types';
import type { Kind, Metric, Panel } from './document';

const NUMBERS = [
  'long',
  'integer',
  'short',
  'byte',
  'unsigned_long',
  'double',
  'float',
  'half_float',
  'scaled_float',
];

export function isNumber(type: string): boolean {
  return NUMBERS.includes(type);
}

/** Counters only grow: what they say is how fast. */
function isCounter(field: string): boolean {
  return (
    /_total$|\.ticks$|_seconds_(sum|count)$/.test(field) ||
    /\.(inbound|outbound|ingress|egress)\.(bytes|packets|errors|dropped)$/.test(field) ||
    /^system\.network\.(in|out)\./.test(field) ||
    /(^|\.)diskio\.(read|write|summary)\.(bytes|ops|count|time)$/.test(field) ||
    /^container\.disk\./.test(field)
  );
}

function unitOf(field: string, counter: boolean): { unit: Unit; scale?: number } {
  const last = field.split('.').at(-1) ?? '';
  if (/^docker\.network\.(in|out)\.bytes$/.test(field)) return { unit: 'bytes/s' };
  if (last === 'bytes' || /_bytes(_total)?$/.test(last)) return { unit: counter ? 'bytes/s' : 'bytes' };
  if (counter) return { unit: 'per second' };
  if (last === 'pct') return { unit: 'percent', scale: 100 };
  if (/^(host|container)\.(cpu|memory)\.usage$/.test(field)) return { unit: 'percent', scale: 100 };
  if (field === 'event.duration' || last === 'ns') return { unit: 'ms', scale: 1e-6 };
  if (last === 'ms') return { unit: 'ms' };
  if (/memory\.(usage\.total|limit|rss\.total|total|free|cached)$/.test(field)) return { unit: 'bytes' };
  if (/filesystem\.(total|free|available)$/.test(field)) return { unit: 'bytes' };
  return { unit: 'count' };
}

export interface Guess extends Pick<Panel, 'unit' | 'title'> {
  kind: Kind;
  metric: Metric;
  split?: string[];
}

export function guess(field: string, type: string): Guess {
  if (!isNumber(type)) {
    return { kind: 'bar', unit: 'count', title: field, metric: { of: 'count' }, split: [field] };
  }
  const counter = isCounter(field);
  const { unit, scale } = unitOf(field, counter);
  const metric: Metric = { of: counter ? 'rate' : 'avg', field, ...(scale === undefined ? {} : { scale }) };
  return { kind: 'line', unit, title: field, metric };
}
