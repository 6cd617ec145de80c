// The inside of a dashboard: what its document says. Pure: reading it with every fault by its path,
// writing it. The schema is told in docs/guide/dashboards.md.
import type { Unit } from '../../shared/chart/types';

export const SCHEMA = 1;
export const COLUMNS = 12;
const MOST_PANELS = 60;
const MOST_ROWS = 500;
const MOST_TEXT = 10_000;

export const KINDS = [
  'line',
  'area',
  'bar',
  'metric',
  'gauge',
  'table',
  'pie',
  'treemap',
  'heatmap',
  'map',
  'markdown',
] as const;
export type Kind = (typeof KINDS)[number];

export const OFS = ['count', 'avg', 'max', 'min', 'sum', 'percentile', 'last', 'unique', 'rate'] as const;
export type Of = (typeof OFS)[number];

export const UNITS: readonly Unit[] = ['count', 'percent', 'bytes', 'bytes/s', 'per second', 'ms'];

/** What a circle on a map is as large as: how many hosts there are, or their memory. */
export const SIZED = ['hosts', 'memory'] as const;
export type Sized = (typeof SIZED)[number];

/** The field that collectors write a host's zone into. */
export const ZONE_FIELD = 'cloud.availability_zone';

/** Whether its values lie along time. */
export function isOverTime(kind: Kind): boolean {
  return kind === 'line' || kind === 'area' || kind === 'bar' || kind === 'heatmap';
}

export interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Metric {
  of: Of;
  field?: string;
  /** Of `percentile`; 95 when it says nothing. */
  percentile?: number;
  label?: string;
  /** Its label in other languages. */
  labels?: Record<string, string>;
  /** What values are multiplied by before they are shown. */
  scale?: number;
  /** Another one than the panel's; in tables and figures. */
  unit?: Unit;
}

export interface Limits {
  warn?: number;
  bad?: number;
}

export interface Panel {
  id: string;
  kind: Kind;
  title: string;
  /** Its title in other languages. */
  titles?: Record<string, string>;
  at: Place;
  /** Data streams or patterns of them. */
  index?: string[];
  /** In the language of the query bar; `$name` is the value of a variable. */
  filter?: string;
  metrics?: Metric[];
  split?: string[];
  /** Most values of a split. */
  size?: number;
  /** Fields whose values have figures of their own, which are added up. */
  each?: string[];
  /** Seconds from one sample to the next. */
  period?: number;
  unit?: Unit;
  stacked?: boolean;
  limits?: Limits;
  /** The end of a gauge. */
  max?: number;
  /** Of a map. */
  sized?: Sized;
  /** Variables that do not filter it. */
  ignores?: string[];
  text?: string;
}

export interface Variable {
  name: string;
  title: string;
  titles?: Record<string, string>;
  index: string[];
  field: string;
}

export interface DashboardDocument {
  schema: number;
  variables: Variable[];
  panels: Panel[];
  time?: { from: string; to: string };
  /** Seconds. */
  refresh?: number;
}

export function emptyDocument(): DashboardDocument {
  return { schema: SCHEMA, variables: [], panels: [] };
}

/** What is wrong, and where. */
export interface Fault {
  path: string;
  fault: 'type' | 'missing' | 'choice' | 'range' | 'twice' | 'schema' | 'json';
  /** What may be there. */
  takes: string;
}

export type Read = { document: DashboardDocument; faults: [] } | { document?: undefined; faults: Fault[] };

type Raw = Record<string, unknown>;

function isObject(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

class Reader {
  readonly faults: Fault[] = [];

  fault(path: string, fault: Fault['fault'], takes: string): void {
    this.faults.push({ path, fault, takes });
  }

  text(raw: Raw, path: string, name: string, most = 200): string | undefined {
    const value = raw[name];
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value.length <= most) return value;
    this.fault(`${path}.${name}`, 'type', `text ≤ ${most}`);
    return undefined;
  }

  needed(raw: Raw, path: string, name: string): string {
    const value = this.text(raw, path, name);
    if (!value && raw[name] === undefined) this.fault(`${path}.${name}`, 'missing', 'text');
    return value ?? '';
  }

  number(raw: Raw, path: string, name: string, least: number, most: number): number | undefined {
    const value = raw[name];
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    this.fault(`${path}.${name}`, 'range', `${least} … ${most}`);
    return undefined;
  }

  whole(raw: Raw, path: string, name: string, least: number, most: number): number | undefined {
    const value = this.number(raw, path, name, least, most);
    if (value === undefined || Number.isInteger(value)) return value;
    this.fault(`${path}.${name}`, 'range', `${least} … ${most}`);
    return undefined;
  }

  flag(raw: Raw, path: string, name: string): boolean | undefined {
    const value = raw[name];
    if (value === undefined || typeof value === 'boolean') return value;
    this.fault(`${path}.${name}`, 'type', 'true, false');
    return undefined;
  }

  choice<T extends string>(raw: Raw, path: string, name: string, of: readonly T[]): T | undefined {
    const value = raw[name];
    if (value === undefined) return undefined;
    const found = of.find((one) => one === value);
    if (found === undefined) this.fault(`${path}.${name}`, 'choice', of.join(', '));
    return found;
  }

  /** A text, or a list of texts. */
  texts(raw: Raw, path: string, name: string, most: number): string[] | undefined {
    const value = raw[name];
    if (value === undefined) return undefined;
    const list = typeof value === 'string' ? [value] : value;
    const good = Array.isArray(list) && list.every((one) => typeof one === 'string' && one.length <= 255);
    if (good && list.length <= most) return list.filter((one) => one !== '') as string[];
    this.fault(`${path}.${name}`, 'type', `texts, at most ${most}`);
    return undefined;
  }

  words(raw: Raw, path: string, name: string): Record<string, string> | undefined {
    const value = raw[name];
    if (value === undefined) return undefined;
    if (isObject(value) && Object.values(value).every((one) => typeof one === 'string')) {
      return value as Record<string, string>;
    }
    this.fault(`${path}.${name}`, 'type', '{ko: text}');
    return undefined;
  }

  objects(raw: Raw, path: string, name: string, most: number): [Raw, string][] {
    const value = raw[name];
    if (value === undefined) return [];
    if (Array.isArray(value) && value.length <= most) {
      return value.flatMap((one, at): [Raw, string][] => {
        const of = `${path ? `${path}.` : ''}${name}[${at}]`;
        if (isObject(one)) return [[one, of]];
        this.fault(of, 'type', '{…}');
        return [];
      });
    }
    this.fault(path ? `${path}.${name}` : name, 'type', `[…] ≤ ${most}`);
    return [];
  }
}

/** Leaves out what is undefined, as exact optional properties want it. */
function kept<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

function metricOf(reader: Reader, raw: Raw, path: string): Metric {
  const of = reader.choice(raw, path, 'of', OFS);
  if (raw.of === undefined) reader.fault(`${path}.of`, 'missing', OFS.join(', '));
  const field = reader.text(raw, path, 'field', 255);
  if (of && of !== 'count' && !field) reader.fault(`${path}.field`, 'missing', 'field');
  return kept<Metric>({
    of: of ?? 'count',
    field,
    percentile: reader.number(raw, path, 'percentile', 0, 100),
    label: reader.text(raw, path, 'label'),
    labels: reader.words(raw, path, 'labels'),
    scale: reader.number(raw, path, 'scale', -1e15, 1e15),
    unit: reader.choice(raw, path, 'unit', UNITS),
  });
}

function placeOf(reader: Reader, raw: Raw, path: string): Place {
  const at = isObject(raw.at) ? raw.at : {};
  if (!isObject(raw.at)) reader.fault(`${path}.at`, 'missing', '{x, y, w, h}');
  const of = `${path}.at`;
  const w = reader.whole(at, of, 'w', 1, COLUMNS) ?? 6;
  const x = reader.whole(at, of, 'x', 0, COLUMNS - 1) ?? 0;
  if (x + w > COLUMNS) reader.fault(`${of}.x`, 'range', `x + w ≤ ${COLUMNS}`);
  return {
    x,
    y: reader.whole(at, of, 'y', 0, MOST_ROWS) ?? 0,
    w,
    h: reader.whole(at, of, 'h', 1, 40) ?? 6,
  };
}

function panelOf(reader: Reader, raw: Raw, path: string): Panel {
  const kind = reader.choice(raw, path, 'kind', KINDS);
  if (raw.kind === undefined) reader.fault(`${path}.kind`, 'missing', KINDS.join(', '));
  const limits = isObject(raw.limits) ? raw.limits : undefined;
  const panel = kept<Panel>({
    id: reader.needed(raw, path, 'id'),
    kind: kind ?? 'line',
    title: reader.text(raw, path, 'title') ?? '',
    titles: reader.words(raw, path, 'titles'),
    at: placeOf(reader, raw, path),
    index: reader.texts(raw, path, 'index', 16),
    filter: reader.text(raw, path, 'filter', 2_000),
    metrics:
      raw.metrics === undefined
        ? undefined
        : reader.objects(raw, path, 'metrics', 8).map(([one, of]) => metricOf(reader, one, of)),
    split: reader.texts(raw, path, 'split', 2) ?? (kind === 'map' ? [ZONE_FIELD] : undefined),
    size: reader.whole(raw, path, 'size', 1, 100),
    each: reader.texts(raw, path, 'each', 3),
    period: reader.whole(raw, path, 'period', 1, 86_400),
    unit: reader.choice(raw, path, 'unit', UNITS),
    stacked: reader.flag(raw, path, 'stacked'),
    limits: limits
      ? kept<Limits>({
          warn: reader.number(limits, `${path}.limits`, 'warn', -1e15, 1e15),
          bad: reader.number(limits, `${path}.limits`, 'bad', -1e15, 1e15),
        })
      : undefined,
    max: reader.number(raw, path, 'max', -1e15, 1e15),
    sized: reader.choice(raw, path, 'sized', SIZED),
    ignores: reader.texts(raw, path, 'ignores', 16),
    text: reader.text(raw, path, 'text', MOST_TEXT),
  });
  if (kind && kind !== 'markdown') {
    if (!panel.index?.length) reader.fault(`${path}.index`, 'missing', 'logs-…, metrics-…');
    if (!panel.metrics?.length) reader.fault(`${path}.metrics`, 'missing', '[{of, field}]');
  }
  return panel;
}

function variableOf(reader: Reader, raw: Raw, path: string): Variable {
  const name = reader.needed(raw, path, 'name');
  if (name && !/^[a-z][a-z0-9_]{0,31}$/.test(name)) reader.fault(`${path}.name`, 'choice', 'a-z 0-9 _');
  const index = reader.texts(raw, path, 'index', 16);
  if (!index?.length) reader.fault(`${path}.index`, 'missing', 'logs-…, metrics-…');
  return kept<Variable>({
    name,
    title: reader.text(raw, path, 'title') ?? name,
    titles: reader.words(raw, path, 'titles'),
    index: index ?? [],
    field: reader.needed(raw, path, 'field'),
  });
}

function twice(reader: Reader, names: string[], path: (at: number) => string): void {
  for (const [at, name] of names.entries()) {
    if (name && names.indexOf(name) !== at) reader.fault(path(at), 'twice', name);
  }
}

/** What is not known is left out; what is known must be right. */
export function readDocument(text: string): Read {
  let raw: unknown;
  try {
    raw = JSON.parse(text === '' ? '{}' : text);
  } catch (error) {
    const takes = error instanceof Error ? error.message : '';
    return { faults: [{ path: '', fault: 'json', takes }] };
  }
  if (!isObject(raw)) return { faults: [{ path: '', fault: 'type', takes: '{…}' }] };
  const reader = new Reader();
  const schema = raw.schema ?? SCHEMA;
  if (schema !== SCHEMA) reader.fault('schema', 'schema', String(SCHEMA));
  const variables = reader.objects(raw, '', 'variables', 16).map(([one, of]) => variableOf(reader, one, of));
  const panels = reader.objects(raw, '', 'panels', MOST_PANELS).map(([one, of]) => panelOf(reader, one, of));
  twice(
    reader,
    panels.map((panel) => panel.id),
    (at) => `panels[${at}].id`,
  );
  twice(
    reader,
    variables.map((variable) => variable.name),
    (at) => `variables[${at}].name`,
  );
  const time = isObject(raw.time) ? raw.time : undefined;
  const document = kept<DashboardDocument>({
    schema: SCHEMA,
    variables,
    panels,
    time: time
      ? { from: reader.needed(time, 'time', 'from'), to: reader.needed(time, 'time', 'to') }
      : undefined,
    refresh: reader.whole(raw, '', 'refresh', 0, 86_400),
  });
  return reader.faults.length > 0 ? { faults: reader.faults } : { document, faults: [] };
}

/** In one order of names, so that equal documents are equal texts. */
export function writeDocument(document: DashboardDocument, indent?: number): string {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (!isObject(value)) return value;
    const names = Object.keys(value).filter((name) => value[name] !== undefined);
    const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
    names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
  };
  return JSON.stringify(sorted(document), null, indent);
}

const ORDER = [
  'schema',
  'time',
  'refresh',
  'variables',
  'panels',
  'id',
  'name',
  'kind',
  'title',
  'at',
  'x',
  'y',
  'w',
  'h',
];

/** In the reader's language. */
export function titleIn(of: { title: string; titles?: Record<string, string> }, language: string): string {
  return of.titles?.[language] ?? of.title;
}

/** With the words of the reader's language where it has them. */
export function spoken(panel: Panel, language: string): Panel {
  if (!panel.metrics?.some((one) => one.labels?.[language])) return panel;
  const metrics = panel.metrics.map((one) => {
    const label = one.labels?.[language];
    return label ? { ...one, label } : one;
  });
  return { ...panel, metrics };
}

/** An id that no panel has yet. */
export function freshId(document: DashboardDocument, wanted: string): string {
  const taken = new Set(document.panels.map((panel) => panel.id));
  const base =
    wanted
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40) || 'panel';
  if (!taken.has(base)) return base;
  for (let n = 2; ; n += 1) if (!taken.has(`${base}-${n}`)) return `${base}-${n}`;
}

/** A name for storage out of a title. */
export function nameOf(title: string): string {
  const name = title
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '');
  return name.slice(0, 64);
}

export const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
