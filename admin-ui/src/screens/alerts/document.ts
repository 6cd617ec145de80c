// A watch as a document in JSON, with the fields of docs/guide/watches.md. Pure.

import type { Json, JsonObject } from '../../api/monitor';
import {
  Comparison,
  type Condition,
  Missing,
  Severity,
  type WatchSpec,
} from '../../generated/wharf/monitor/v1/watches_pb';
import { spanText } from './spans';

const COMPARISONS: Record<Comparison, string> = {
  [Comparison.UNSPECIFIED]: 'gt',
  [Comparison.GT]: 'gt',
  [Comparison.GTE]: 'gte',
  [Comparison.LT]: 'lt',
  [Comparison.LTE]: 'lte',
  [Comparison.EQ]: 'eq',
  [Comparison.NE]: 'ne',
};
const MISSINGS: Record<Missing, string> = {
  [Missing.UNSPECIFIED]: 'error',
  [Missing.ERROR]: 'error',
  [Missing.OK]: 'ok',
  [Missing.FIRE]: 'fire',
};
const SEVERITIES: Record<Severity, string> = {
  [Severity.UNSPECIFIED]: 'warning',
  [Severity.INFO]: 'info',
  [Severity.WARNING]: 'warning',
  [Severity.CRITICAL]: 'critical',
};

function conditionOf(condition: Condition | undefined): JsonObject {
  const kind = condition?.kind;
  if (!kind?.value) return {};
  const { measure, comparison, threshold, missing, minCount } = kind.value;
  const of = measure?.of;
  const judged: JsonObject = {
    ...(kind.case === 'each' ? { buckets: [...kind.value.buckets] } : {}),
    ...(of?.case === 'ratio'
      ? { ratio: { part: of.value.part, whole: of.value.whole } }
      : { path: of?.value ?? '' }),
    [COMPARISONS[comparison]]: threshold?.kind.value ?? 0,
    ...(minCount > 0n ? { min_count: Number(minCount) } : {}),
    ...(MISSINGS[missing] === 'error' ? {} : { missing: MISSINGS[missing] ?? 'error' }),
  };
  return { [kind.case]: judged };
}

/** What is empty has its default and is left out. */
function given(fields: Record<string, Json | undefined>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter(
      (entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== '' && entry[1] !== 0,
    ),
  );
}

export function documentOf(spec: WatchSpec): string {
  const when = spec.trigger?.when;
  let body: Json = {};
  try {
    body = JSON.parse(spec.search?.bodyJson || '{}') as Json;
  } catch {
    body = {};
  }
  const indices = spec.search?.indices ?? [];
  const document: JsonObject = {
    ...given({
      name: spec.name,
      description: spec.description,
      enabled: spec.enabled ? undefined : false,
      severity: SEVERITIES[spec.severity],
      labels: Object.keys(spec.labels).length > 0 ? { ...spec.labels } : undefined,
    }),
    trigger:
      when?.case === 'cron'
        ? given({ cron: when.value.expression, time_zone: when.value.timeZone })
        : { interval: spanText(when?.value ?? 0n) },
    input: {
      search: {
        index: indices.length === 1 ? (indices[0] ?? '') : [...indices],
        ...given({ window: spanText(spec.search?.windowMs ?? 0n) }),
        body,
      },
    },
    condition: conditionOf(spec.condition),
    ...given({
      throttle: spanText(spec.throttleMs),
      recover_after: spec.recoverAfter,
      timeout: spanText(spec.timeoutMs),
      actions:
        spec.actions.length === 0
          ? undefined
          : spec.actions.map((one) =>
              given({
                channel: one.channel,
                subject: one.subject,
                body: one.body,
                recovered_subject: one.recoveredSubject,
                recovered_body: one.recoveredBody,
              }),
            ),
    }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
