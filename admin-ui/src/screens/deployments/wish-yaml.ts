// A wish as YAML: the fields of the request as the contracts name them, which `wharf api` takes, too. Pure.
import { create, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import { parseDocument, stringify } from 'yaml';
import {
  type CreateDeploymentRequest,
  CreateDeploymentRequestSchema,
} from '../../generated/wharf/v1/deployments_pb';
import type { Request } from './wish';

/** Longer than any deployment's. */
const MOST_CHARACTERS = 64 * 1024;
/** What is said by pressing a button, and not in the text. */
const OF_THE_CALL = ['mutation', 'dry_run', 'dryRun'];

export interface Fault {
  /** From 1; none where the whole is meant. */
  line?: number;
  /** As the parser says it, in English; none: `kind` says it. */
  text?: string;
  kind: 'syntax' | 'field' | 'empty' | 'long' | 'call';
}

export type Read =
  | { request: CreateDeploymentRequest; fault?: undefined }
  | { request?: undefined; fault: Fault };

/** JSON has 64 bits as texts, people write numbers. */
function numbers(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(numbers);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => {
        const counts =
          typeof one === 'string' && /_(bytes|millis)$/.test(key) && Number.isSafeInteger(Number(one));
        return [key, counts ? Number(one) : numbers(one)];
      }),
    );
  }
  return value;
}

export function writeYaml(request: Request): string {
  const message = create(CreateDeploymentRequestSchema, request);
  const json = toJson(CreateDeploymentRequestSchema, message, { useProtoFieldName: true });
  // An empty name is a field to fill in.
  return stringify({ name: request.name, ...(numbers(json) as Record<string, JsonValue>) });
}

export function readYaml(text: string): Read {
  if (text.length > MOST_CHARACTERS) return { fault: { kind: 'long' } };
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const line = text.slice(0, error.pos[0]).split('\n').length;
    return { fault: { kind: 'syntax', line, text: error.message } };
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch (thrown) {
    return { fault: { kind: 'syntax', text: thrown instanceof Error ? thrown.message : String(thrown) } };
  }
  if (value === null || value === undefined) return { fault: { kind: 'empty' } };
  if (typeof value === 'object' && OF_THE_CALL.some((key) => key in (value as object))) {
    return { fault: { kind: 'call' } };
  }
  try {
    return { request: fromJson(CreateDeploymentRequestSchema, value as JsonValue) };
  } catch (thrown) {
    const told = thrown instanceof Error ? thrown.message : String(thrown);
    return { fault: { kind: 'field', text: told.replace(/^cannot decode message \S+ from JSON: /, '') } };
  }
}
