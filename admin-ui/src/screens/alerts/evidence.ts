// Where the lines behind an alert are: the index, query and time of its watch with the alert's own
// group, as an address of Discover. Pure.
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Json, JsonObject } from '../../api/monitor';
import { type Alert, AlertState } from '../../generated/wharf/monitor/v1/alerts_pb';
import type { Condition, WatchSpec } from '../../generated/wharf/monitor/v1/watches_pb';
import { discoverLink, fieldIs, fieldName } from '../../shared/search/discover-link';
import { isObject, joined, type Lucene, luceneOf } from './lucene';

export interface Evidence {
  indices: string[];
  /** What the reader sees in the query bar. */
  query: string;
  from: number;
  to: number;
  /** The watch looks at nothing more than this says. */
  whole: boolean;
}

/** The lines of every container, where a watch looks at something else than logs. */
export const CONTAINER_LOGS = 'logs-docker.container-default';
const LEAST_MS = 5 * 60_000;
const MOST_MS = 6 * 3_600_000;
const MINUTE = 60_000;

/** Fields of groups under the names that log lines have for the same thing. */
const IN_LOGS: Record<string, string> = {
  'host.name': 'host.name',
  'container.name': 'container.name',
  'container.id': 'container.id',
  'service.name': 'service.name',
  'docker.event.actor.attributes.name': 'container.name',
  'docker.event.actor.id': 'container.id',
};

type Told = Pick<Alert, 'group' | 'state' | 'since' | 'lastFiringAt'>;

export function bodyOf(spec: WatchSpec): JsonObject {
  try {
    const body = JSON.parse(spec.search?.bodyJson || '{}') as Json;
    return isObject(body) ? body : {};
  } catch {
    return {};
  }
}

function aggsOf(level: JsonObject): JsonObject {
  const aggs = level.aggs ?? level.aggregations;
  return isObject(aggs) ? aggs : {};
}

/** The span in which it fired, no longer than can be read. */
export function timeOf(alert: Told, windowMs: number, now: number): { from: number; to: number } {
  const before = Math.max(windowMs, LEAST_MS);
  const last = alert.lastFiringAt ? timestampMs(alert.lastFiringAt) : now;
  const over = alert.state === AlertState.RECOVERED;
  const to = over ? Math.min(now, last + MINUTE) : now;
  const since = alert.since && !over ? timestampMs(alert.since) : last;
  return { from: Math.max(since - before, to - MOST_MS), to: Math.max(to, since) };
}

/** Adds what one key of a bucket says, under the aggregation that made it. */
function keyClause(agg: Json | undefined, value: string): string | null {
  if (!isObject(agg)) return null;
  if (isObject(agg.terms) && typeof agg.terms.field === 'string') {
    const clause = fieldIs(agg.terms.field, value);
    const missing = agg.terms.missing;
    return missing !== undefined && String(missing) === value
      ? `(${clause} OR NOT _exists_:${fieldName(agg.terms.field)})`
      : clause;
  }
  if (isObject(agg.filters) && isObject(agg.filters.filters)) {
    const said = luceneOf(agg.filters.filters[value]);
    return said.whole && said.text ? `(${said.text})` : null;
  }
  return null;
}

/** What is measured of the answer: `errors.doc_count`. */
function measured(condition: Condition | undefined): string {
  const measure = condition?.kind.value?.measure?.of;
  if (measure?.case === 'ratio') return measure.value.part;
  return measure?.case === 'path' ? measure.value : '';
}

/** The filters on the way to what is measured: only what they let through is wrong. */
function partClauses(level: JsonObject, path: string): Lucene[] {
  const clauses: Lucene[] = [];
  let at = level;
  for (const name of path.replace(/^aggregations\./, '').split('.')) {
    const agg = aggsOf(at)[name];
    if (!isObject(agg)) break;
    if (agg.filter !== undefined) clauses.push(luceneOf(agg.filter));
    at = agg;
  }
  return clauses;
}

export function documentsBehind(spec: WatchSpec, alert: Told, now: number): Evidence {
  const body = bodyOf(spec);
  const clauses = [luceneOf(body.query)];
  let level = body;
  for (const part of alert.group) {
    const agg = aggsOf(level)[part.name];
    const clause = keyClause(agg, part.value);
    clauses.push({ text: clause ?? '', whole: clause !== null });
    level = isObject(agg) ? agg : {};
  }
  clauses.push(...partClauses(level, measured(spec.condition)));
  const { text, whole } = joined(clauses, 'AND');
  return {
    indices: [...(spec.search?.indices ?? [])],
    query: text,
    whole,
    ...timeOf(alert, Number(spec.search?.windowMs ?? 0n), now),
  };
}

/** The lines that the thing itself wrote at that time, whatever the watch looks at. */
export function linesBehind(spec: WatchSpec, alert: Told, now: number): Evidence {
  const documents = documentsBehind(spec, alert, now);
  if (documents.indices.every((index) => index.startsWith('logs'))) return documents;
  const body = bodyOf(spec);
  const clauses: string[] = [];
  let level = body;
  for (const part of alert.group) {
    const agg = aggsOf(level)[part.name];
    if (isObject(agg)) {
      const field = isObject(agg.terms) ? IN_LOGS[String(agg.terms.field)] : undefined;
      if (field) clauses.push(fieldIs(field, part.value));
      level = agg;
    }
  }
  return { ...documents, indices: [CONTAINER_LOGS], query: clauses.join(' AND '), whole: true };
}

export function discoverPath(deployment: string, evidence: Evidence): string {
  return discoverLink({
    deployment,
    indices: evidence.indices,
    q: evidence.query,
    from: new Date(evidence.from).toISOString(),
    to: new Date(evidence.to).toISOString(),
  });
}
