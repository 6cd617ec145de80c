// A watch as the form has it. What the form can say about a search it also reads back; any other body
// stays JSON. Pure.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Json, JsonObject } from '../../api/monitor';
import {
  Comparison,
  type ConditionSchema,
  Missing,
  Severity,
  type Threshold,
  type ThresholdSchema,
  type WatchSpec,
  WatchSpecSchema,
} from '../../generated/wharf/monitor/v1/watches_pb';
import type { MessageKey } from '../../i18n/i18n';
import { isObject } from './lucene';
import { spanMs, spanText } from './spans';

export const MEASURES = ['count', 'share', 'avg', 'max', 'min', 'sum', 'p95'] as const;
export type MeasureKind = (typeof MEASURES)[number];

export interface ActionForm {
  channel: string;
  subject: string;
  body: string;
  recoveredSubject: string;
  recoveredBody: string;
}

export interface WatchForm {
  name: string;
  description: string;
  enabled: boolean;
  severity: Severity;
  labels: string;
  runs: 'interval' | 'cron';
  every: string;
  cron: string;
  timeZone: string;
  indices: string;
  window: string;
  /** Whether the body is made of the fields below or written out. */
  search: 'fields' | 'json';
  query: string;
  groups: string;
  measure: MeasureKind;
  field: string;
  /** Of a share: which documents are the part. */
  part: string;
  body: string;
  /** With a body that is written out: names of aggregations, and what is measured. */
  buckets: string;
  path: string;
  /** Of a ratio; empty: the path is the value itself. */
  whole: string;
  comparison: Comparison;
  threshold: string;
  missing: Missing;
  minCount: string;
  throttle: string;
  recoverAfter: string;
  timeout: string;
  actions: ActionForm[];
}

export const NO_ACTION: ActionForm = {
  channel: '',
  subject: '',
  body: '',
  recoveredSubject: '',
  recoveredBody: '',
};

export const NEW_FORM: WatchForm = {
  name: '',
  description: '',
  enabled: true,
  severity: Severity.WARNING,
  labels: '',
  runs: 'interval',
  every: '1m',
  cron: '*/5 * * * *',
  timeZone: 'UTC',
  indices: 'logs-docker.container-default',
  window: '5m',
  search: 'fields',
  query: 'log.level:error',
  groups: 'service.name',
  measure: 'count',
  field: '',
  part: '',
  body: '',
  buckets: '',
  path: '',
  whole: '',
  comparison: Comparison.GT,
  threshold: '10',
  missing: Missing.OK,
  minCount: '',
  throttle: '1h',
  recoverAfter: '1',
  timeout: '10s',
  actions: [],
};

const MEASURED = 'measured';
const PART = 'part';
const GROUP_SIZE = 1_000;

function words(text: string, separator: RegExp = /[\s,]+/): string[] {
  return text.split(separator).filter((word) => word !== '');
}

/** Names of groups as messages call them: `host` for `host.name`. */
export function groupNames(fields: readonly string[]): string[] {
  const names: string[] = [];
  for (const field of fields) {
    const steps = field.split('.').filter((step) => step !== 'name' && step !== 'id' && step !== 'keyword');
    const base = (steps[steps.length - 1] ?? field).replace(/[^A-Za-z0-9_]/g, '_');
    let name = base;
    for (let count = 2; names.includes(name) || name === MEASURED || name === PART; count += 1)
      name = `${base}${count}`;
    names.push(name);
  }
  return names;
}

function typed(query: string): JsonObject {
  return { query_string: { query, default_operator: 'AND' } };
}

function measureAggs(form: WatchForm): JsonObject {
  if (form.measure === 'count') return {};
  if (form.measure === 'share') return { [PART]: { filter: typed(form.part || '*') } };
  if (form.measure === 'p95') return { [MEASURED]: { percentiles: { field: form.field, percents: [95] } } };
  return { [MEASURED]: { [form.measure]: { field: form.field } } };
}

/** The body that the fields come to. */
export function builtBody(form: WatchForm): JsonObject {
  const filter: Json[] = [{ range: { '@timestamp': { gte: '{{from}}', lt: '{{to}}' } } }];
  if (form.query.trim()) filter.push(typed(form.query.trim()));
  let aggs = measureAggs(form);
  const fields = words(form.groups);
  const names = groupNames(fields);
  for (let at = fields.length - 1; at >= 0; at -= 1) {
    const within: JsonObject = Object.keys(aggs).length > 0 ? { aggs } : {};
    aggs = { [names[at] ?? '']: { terms: { field: fields[at] ?? '', size: GROUP_SIZE }, ...within } };
  }
  return { query: { bool: { filter } }, ...(Object.keys(aggs).length > 0 ? { aggs } : {}) };
}

interface Judged {
  buckets: string[];
  path: string;
  whole: string;
}

/** What of the answer is judged. */
function judgedBy(form: WatchForm): Judged {
  if (form.search === 'json') {
    return { buckets: words(form.buckets), path: form.path.trim(), whole: form.whole.trim() };
  }
  const buckets = groupNames(words(form.groups));
  const top = buckets.length === 0;
  const prefix = top ? 'aggregations.' : '';
  const count = top ? 'hits.total.value' : 'doc_count';
  switch (form.measure) {
    case 'count':
      return { buckets, path: count, whole: '' };
    case 'share':
      return { buckets, path: `${prefix}${PART}.doc_count`, whole: count };
    case 'p95':
      return { buckets, path: `${prefix}${MEASURED}.values.95.0`, whole: '' };
    default:
      return { buckets, path: `${prefix}${MEASURED}.value`, whole: '' };
  }
}

function thresholdOf(text: string): MessageInitShape<typeof ThresholdSchema> {
  const trimmed = text.trim();
  if (trimmed === 'true' || trimmed === 'false')
    return { kind: { case: 'truth', value: trimmed === 'true' } };
  if (trimmed !== '' && Number.isFinite(Number(trimmed))) {
    return { kind: { case: 'number', value: Number(trimmed) } };
  }
  return { kind: { case: 'text', value: trimmed } };
}

function thresholdText(threshold: Threshold | undefined): string {
  return threshold?.kind.case === undefined ? '' : String(threshold.kind.value);
}

const FIGURE = /^\d{0,9}$/;

/** What is no figure is told by `faultsOf`; here it must not break what is being drawn. */
function figureOf(text: string): number {
  return FIGURE.test(text.trim()) ? Number(text) : 0;
}

function conditionOf(form: WatchForm): MessageInitShape<typeof ConditionSchema> {
  const { buckets, path, whole } = judgedBy(form);
  const rest = {
    measure: {
      of: whole
        ? { case: 'ratio' as const, value: { part: path, whole } }
        : { case: 'path' as const, value: path },
    },
    comparison: form.comparison,
    threshold: thresholdOf(form.threshold),
    missing: form.missing,
    minCount: BigInt(figureOf(form.minCount)),
  };
  return buckets.length > 0
    ? { kind: { case: 'each', value: { buckets, ...rest } } }
    : { kind: { case: 'compare', value: rest } };
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    words(text, /[,\n]+/).map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name.trim(), value.join('=').trim()];
    }),
  );
}

export function bodyText(form: WatchForm): string {
  return form.search === 'json' ? form.body : JSON.stringify(builtBody(form));
}

/** The watch that the form says; `faultsOf` has said that it can be read. */
export function specOf(form: WatchForm): WatchSpec {
  return create(WatchSpecSchema, {
    name: form.name.trim(),
    description: form.description,
    enabled: form.enabled,
    severity: form.severity,
    labels: labelsOf(form.labels),
    trigger: {
      when:
        form.runs === 'cron'
          ? { case: 'cron', value: { expression: form.cron.trim(), timeZone: form.timeZone.trim() } }
          : { case: 'intervalMs', value: BigInt(spanMs(form.every) ?? 0) },
    },
    search: {
      indices: words(form.indices),
      bodyJson: bodyText(form),
      windowMs: BigInt(spanMs(form.window) ?? 0),
    },
    condition: conditionOf(form),
    throttleMs: BigInt(spanMs(form.throttle) ?? 0),
    recoverAfter: figureOf(form.recoverAfter),
    timeoutMs: BigInt(spanMs(form.timeout) ?? 0),
    actions: form.actions,
  });
}

export type Faults = Partial<Record<keyof WatchForm, MessageKey>>;

/** What is wrong with it before anybody is asked; the node judges the rest. */
export function faultsOf(form: WatchForm): Faults {
  const faults: Faults = {};
  if (!/^[a-z0-9][a-z0-9_.-]{0,63}$/.test(form.name.trim())) faults.name = 'alerts.fault.name';
  if (words(form.indices).length === 0) faults.indices = 'alerts.fault.indices';
  if (form.runs === 'interval' && !spanMs(form.every)) faults.every = 'alerts.fault.span';
  if (form.runs === 'cron' && form.cron.trim().split(/\s+/).length !== 5) faults.cron = 'alerts.fault.cron';
  for (const name of ['window', 'throttle', 'timeout'] as const) {
    if (form[name].trim() !== '' && spanMs(form[name]) === null) faults[name] = 'alerts.fault.span';
  }
  for (const name of ['minCount', 'recoverAfter'] as const) {
    if (!FIGURE.test(form[name].trim())) faults[name] = 'alerts.fault.figure';
  }
  if (form.threshold.trim() === '') faults.threshold = 'alerts.fault.threshold';
  if (form.search === 'json') {
    if (!isJsonObject(form.body)) faults.body = 'alerts.fault.json';
    if (form.path.trim() === '') faults.path = 'alerts.fault.path';
  } else if (form.measure === 'share') {
    if (form.part.trim() === '') faults.part = 'alerts.fault.part';
  } else if (form.measure !== 'count' && form.field.trim() === '') {
    faults.field = 'alerts.fault.field';
  }
  return faults;
}

function isJsonObject(text: string): boolean {
  try {
    return isObject(JSON.parse(text) as Json);
  } catch {
    return false;
  }
}

function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, at) => sameJson(one, b[at]));
  }
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length && names.every((name) => name in b && sameJson(a[name], b[name]))
    );
  }
  return a === b;
}

/** What the fields would have to be, if the body was made of them. */
function guessed(body: JsonObject): Partial<WatchForm> {
  const bool = isObject(body.query) && isObject(body.query.bool) ? body.query.bool : {};
  const filters = Array.isArray(bool.filter) ? bool.filter : [];
  const typedQuery = filters[1];
  const said =
    isObject(typedQuery) && isObject(typedQuery.query_string) ? String(typedQuery.query_string.query) : '';
  const fields: string[] = [];
  let aggs = isObject(body.aggs) ? body.aggs : {};
  let measure: MeasureKind = 'count';
  let field = '';
  let part = '';
  for (;;) {
    const [name, agg] = Object.entries(aggs)[0] ?? [];
    if (name === undefined || !isObject(agg)) break;
    if (name === PART && isObject(agg.filter) && isObject(agg.filter.query_string)) {
      measure = 'share';
      part = String(agg.filter.query_string.query);
      break;
    }
    if (name === MEASURED) {
      const kind = Object.keys(agg)[0] ?? '';
      measure = kind === 'percentiles' ? 'p95' : (MEASURES.find((one) => one === kind) ?? 'count');
      const of = agg[kind];
      field = isObject(of) ? String(of.field) : '';
      break;
    }
    if (!isObject(agg.terms)) break;
    fields.push(String(agg.terms.field));
    aggs = isObject(agg.aggs) ? agg.aggs : {};
  }
  return { query: said, groups: fields.join(', '), measure, field, part };
}

/** A watch as the form shows it. */
export function formOf(spec: WatchSpec): WatchForm {
  const condition = spec.condition?.kind;
  const judged = condition?.value;
  const of = judged?.measure?.of;
  const when = spec.trigger?.when;
  const form: WatchForm = {
    ...NEW_FORM,
    name: spec.name,
    description: spec.description,
    enabled: spec.enabled,
    severity: spec.severity || Severity.WARNING,
    labels: Object.entries(spec.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
    runs: when?.case === 'cron' ? 'cron' : 'interval',
    every: when?.case === 'intervalMs' ? spanText(when.value) : NEW_FORM.every,
    cron: when?.case === 'cron' ? when.value.expression : NEW_FORM.cron,
    timeZone: when?.case === 'cron' ? when.value.timeZone || 'UTC' : NEW_FORM.timeZone,
    indices: spec.search?.indices.join(', ') ?? '',
    window: spanText(spec.search?.windowMs ?? 0n),
    search: 'json',
    query: '',
    groups: '',
    body: '',
    buckets: condition?.case === 'each' ? condition.value.buckets.join(', ') : '',
    path: of?.case === 'ratio' ? of.value.part : (of?.value ?? ''),
    whole: of?.case === 'ratio' ? of.value.whole : '',
    comparison: judged?.comparison || Comparison.GT,
    threshold: thresholdText(judged?.threshold),
    missing: judged?.missing || Missing.ERROR,
    minCount: judged?.minCount ? String(judged.minCount) : '',
    throttle: spanText(spec.throttleMs),
    recoverAfter: String(spec.recoverAfter || 1),
    timeout: spanText(spec.timeoutMs),
    actions: spec.actions.map(({ channel, subject, body, recoveredSubject, recoveredBody }) => ({
      channel,
      subject,
      body,
      recoveredSubject,
      recoveredBody,
    })),
  };
  const body = JSON.parse(spec.search?.bodyJson || '{}') as Json;
  form.body = JSON.stringify(body, null, 2);
  if (isObject(body)) {
    const made: WatchForm = { ...form, search: 'fields', ...guessed(body) };
    const { buckets, path, whole } = judgedBy(made);
    const judgesSame =
      buckets.join(' ') === words(form.buckets).join(' ') && path === form.path && whole === form.whole;
    if (judgesSame && sameJson(withoutSize(body), builtBody(made))) return made;
  }
  return form;
}

/** The node adds the defaults of watches to a body that does not give them. */
function withoutSize(body: JsonObject): JsonObject {
  const { size, track_total_hits: counted, ...rest } = body;
  return (size === undefined || size === 0) && (counted === undefined || counted === true) ? rest : body;
}
