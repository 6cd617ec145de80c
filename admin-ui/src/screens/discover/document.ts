// A document as people read it: its fields by their paths, its level, one line of it. Pure.
import type { Json, JsonObject } from '../../api/monitor';
import { fieldOf } from '../../shared/search/build';

export const SHOWN_BYTES = 4_096;
const IN_A_ROW = 600;

export interface Hit {
  _id: string;
  _index: string;
  _source: JsonObject;
  sort?: Json[];
  /** The value that it is ordered by, where that is not its time. */
  by?: Json;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in words; what holds others is JSON. */
export function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) {
    const plain = value.every((one) => one === null || typeof one !== 'object');
    return plain ? value.map(shown).join(', ') : JSON.stringify(value);
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Every field with its path, by name. */
export function flattened(source: JsonObject): [path: string, value: Json][] {
  const found: [string, Json][] = [];
  const walk = (object: JsonObject, before: string): void => {
    for (const [name, value] of Object.entries(object)) {
      const path = before ? `${before}.${name}` : name;
      if (isObject(value) && Object.keys(value).length > 0) walk(value, path);
      else found.push([path, value]);
    }
  };
  walk(source, '');
  return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The values that one can filter by: several when the field has several. */
export function valuesOf(value: Json | undefined): string[] {
  const all = Array.isArray(value) ? value : [value];
  return all.flatMap((one) =>
    one === null || one === undefined || typeof one === 'object' ? [] : [`${one}`],
  );
}

export interface Clipped {
  text: string;
  /** Letters that are not shown. */
  more: number;
}

export function clipped(text: string, most: number = SHOWN_BYTES): Clipped {
  if (text.length <= most) return { text, more: 0 };
  // No pair of surrogates is cut in two.
  const high = /[\ud800-\udbff]/.test(text[most - 1] ?? '');
  const end = high ? most - 1 : most;
  return { text: text.slice(0, end), more: text.length - end };
}

export type LevelTone = 'bad' | 'warn' | 'note' | 'off';

const TONES: Record<string, LevelTone> = {
  emergency: 'bad',
  fatal: 'bad',
  critical: 'bad',
  error: 'bad',
  warn: 'warn',
  warning: 'warn',
  notice: 'note',
  info: 'note',
  debug: 'off',
  trace: 'off',
};

/** The worst first. */
export const LEVEL_ORDER = Object.keys(TONES);

export function toneOf(level: string): LevelTone | undefined {
  return TONES[level.toLowerCase()];
}

export function levelOf(source: JsonObject): string {
  return shown(fieldOf(source, 'log.level'));
}

/** What a request's line is made of, for those that have no message. */
export const REQUEST_FIELDS = [
  'http.request.method',
  'http.response.status_code',
  'url.path',
  'event.duration',
  'error.code',
];

/** The message; of a request that was written down in fields its method, path, status and time. */
export function messageOf(source: JsonObject): string {
  const message = shown(fieldOf(source, 'message'));
  if (message) return message;
  const [method = '', status = '', path = '', took = '', code = ''] = REQUEST_FIELDS.map((field) =>
    shown(fieldOf(source, field)),
  );
  if (!method) return '';
  const ms = took ? `${(Number(took) / 1e6).toFixed(1)} ms` : '';
  return [method, path, status, ms, code].filter(Boolean).join(' ');
}

/** A value in a row: no breaks, not longer than anybody sees, fractions with four digits that matter. */
function inRow(value: Json | undefined, most: number): string {
  const fraction = typeof value === 'number' && !Number.isInteger(value);
  const text = fraction ? String(Number(value.toPrecision(4))) : shown(value);
  return clipped(text, most).text.replace(/\s+/g, ' ');
}

export function cellText(source: JsonObject, column: string): string {
  return inRow(column === 'message' ? messageOf(source) : fieldOf(source, column), IN_A_ROW);
}

// What every document has says nothing about this one.
const EVERYWHERE =
  /^(@timestamp|message|log\.level|ecs\.|agent\.|data_stream\.|metricset\.|event\.(module|dataset)$)/;

/** The message, else the fields that are its own, as far as a row can show them. */
export function summaryOf(source: JsonObject): { message: string; pairs: [string, string][] } {
  const message = inRow(messageOf(source), IN_A_ROW);
  if (message) return { message, pairs: [] };
  const pairs: [string, string][] = [];
  let length = 0;
  const own = flattened(source).filter(([path]) => !EVERYWHERE.test(path));
  // Figures are what metrics are read for; names of hosts and labels come behind.
  const first = own.filter(([, value]) => typeof value === 'number');
  for (const [path, value] of [...first, ...own.filter(([, one]) => typeof one !== 'number')]) {
    if (length > IN_A_ROW) break;
    const text = inRow(value, 120);
    if (text) pairs.push([path, text]);
    length += path.length + text.length + 3;
  }
  return { message: '', pairs };
}

/** The moment of a hit in milliseconds, as the storage ordered by it. */
export function atOf(hit: Hit): number {
  const sorted = hit.sort?.[0];
  if (typeof sorted === 'number') return sorted;
  const at = Date.parse(shown(fieldOf(hit._source, '@timestamp')));
  return Number.isNaN(at) ? 0 : at;
}

export function offsetOf(hit: Hit): number {
  const sorted = hit.sort?.[1];
  if (typeof sorted === 'number') return sorted;
  const offset = fieldOf(hit._source, 'log.offset');
  return typeof offset === 'number' ? offset : -1;
}

/** One id twice is one document only within one index. */
export function keyOfHit(hit: Hit): string {
  return `${hit._index}/${hit._id}`;
}

/** `.ds-logs-docker.container-default-2026.11.29-000001` is of `logs-docker.container-default`. */
export function streamOf(index: string): string {
  const backing = /^\.ds-(.+)-\d{4}\.\d{2}\.\d{2}-\d{6,}$/.exec(index);
  return backing?.[1] ?? index;
}
