// The query of a watch as the text that Discover takes. What has no such text is left out and told, so
// that a link never hides that it shows more than the watch looked at. Pure.
import type { Json, JsonObject } from '../../api/monitor';
import { allOf, fieldIs, fieldName, quoted } from '../../shared/search/discover-link';

export interface Lucene {
  text: string;
  /** All of the query is in it. */
  whole: boolean;
}

const ALL: Lucene = { text: '', whole: true };
const UNSAID: Lucene = { text: '', whole: false };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A time that is filled in when the watch runs: the link has a time range of its own. */
function isPlace(value: Json | undefined): boolean {
  return typeof value === 'string' && value.includes('{{');
}

export function textOf(value: Json): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function bare(text: string): string {
  return text.replace(/[+\-=&|><!(){}[\]^"~:\\/\s]/g, '\\$&');
}

/** Each clause as it may stand beside others. */
export function joined(clauses: readonly Lucene[], word: 'AND' | 'OR'): Lucene {
  const texts = clauses.map((one) => one.text).filter((text) => text !== '');
  const whole = clauses.every((one) => one.whole);
  // One that says nothing matches everything: with OR nothing is left to say.
  if (word === 'OR' && texts.length < clauses.length) return { text: '', whole };
  if (word === 'AND' || texts.length < 2) return { text: allOf(...texts), whole };
  return { text: texts.map((text) => (/\s/.test(text) ? `(${text})` : text)).join(' OR '), whole };
}

function listOf(value: Json | undefined): Json[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** The one entry of an object that names a field. */
function only(value: Json | undefined): [string, Json] | undefined {
  return isObject(value) ? Object.entries(value).find(([name]) => name !== 'boost') : undefined;
}

function rangeText(field: string, bounds: Json): Lucene {
  if (!isObject(bounds)) return UNSAID;
  const parts: string[] = [];
  for (const [name, sign] of [
    ['gte', '>='],
    ['gt', '>'],
    ['lte', '<='],
    ['lt', '<'],
  ] as const) {
    const bound = bounds[name];
    if (bound === undefined || bound === null) continue;
    if (isPlace(bound)) continue;
    parts.push(`${fieldName(field)}:${sign}${typeof bound === 'number' ? bound : quoted(textOf(bound))}`);
  }
  return joined(
    parts.map((text) => ({ text, whole: true })),
    'AND',
  );
}

function boolText(body: Json): Lucene {
  if (!isObject(body)) return UNSAID;
  const must = [...listOf(body.filter), ...listOf(body.must)].map(luceneOf);
  const should = listOf(body.should).map(luceneOf);
  // Beside other clauses an optional one only weighs, unless one of them is asked for.
  const needed = should.length > 0 && (must.length === 0 || Number(body.minimum_should_match) >= 1);
  if (needed) must.push(joined(should, 'OR'));
  for (const one of listOf(body.must_not).map(luceneOf)) {
    must.push({ text: one.text ? `NOT (${one.text})` : '', whole: one.whole && one.text !== '' });
  }
  return joined(must, 'AND');
}

export function luceneOf(query: Json | undefined): Lucene {
  if (query === undefined || query === null) return ALL;
  const entry = only(query);
  if (!entry) return isObject(query) ? ALL : UNSAID;
  const [kind, body] = entry;
  if (kind === 'match_all') return ALL;
  if (kind === 'bool') return boolText(body);
  if (kind === 'constant_score' && isObject(body)) return luceneOf(body.filter);
  if (kind === 'exists' && isObject(body) && typeof body.field === 'string') {
    return { text: `_exists_:${fieldName(body.field)}`, whole: true };
  }
  if (kind === 'query_string' && isObject(body) && typeof body.query === 'string') {
    const text = body.query.trim();
    // Discover asks for all the words.
    const whole = textOf(body.default_operator ?? 'OR').toUpperCase() === 'AND' || !/\s/.test(text);
    return { text: text === '*' ? '' : `(${text})`, whole };
  }
  const of = only(body);
  if (!of) return UNSAID;
  const [field, given] = of;
  if (kind === 'range') return rangeText(field, given);
  if (kind === 'terms') {
    const values = listOf(given);
    if (values.length === 0) return UNSAID;
    const text =
      values.length === 1
        ? fieldIs(field, textOf(values[0] ?? null))
        : `${fieldName(field)}:(${values.map((value) => quoted(textOf(value))).join(' OR ')})`;
    return { text, whole: true };
  }
  const value = isObject(given) ? (given.value ?? given.query) : given;
  if (value === undefined || value === null) return UNSAID;
  // Of several words one is enough, wherever they stand.
  if (kind === 'match' && /\s/.test(textOf(value).trim())) return UNSAID;
  if (kind === 'term' || kind === 'match' || kind === 'match_phrase') {
    return { text: fieldIs(field, textOf(value)), whole: true };
  }
  if (kind === 'prefix')
    return { text: `${fieldName(field)}:${bare(String(value)).replace(/[*?]/g, '\\$&')}*`, whole: true };
  if (kind === 'wildcard') return { text: `${fieldName(field)}:${bare(String(value))}`, whole: true };
  return UNSAID;
}
