// What a plan wants to be different, in words: the fields that directors name (`storage.memory_bytes`) and their values.
// Pure; the test reads the fields where directors define them.
import type { Formats } from '../../format/use-format';
import type { MessageKey } from '../../i18n/i18n';
import type { Params } from '../../i18n/language';
import { RESOURCES } from '../names/stable-names';

type Words = (key: MessageKey, params?: Params) => string;

/** Of each kind of nodes. */
export const PARTS: Readonly<Record<string, MessageKey>> = {
  cpu_millis: 'field.cpu_millis',
  disk_bytes: 'field.disk_bytes',
  instances_per_zone: 'field.instances_per_zone',
  memory_bytes: 'field.memory_bytes',
  zone_count: 'field.zone_count',
};

/** Of the whole deployment. */
export const FIELDS: Readonly<Record<string, MessageKey>> = {
  deleted: 'field.deleted',
  moved: 'field.moved',
  password: 'field.password',
  paused_or_resumed: 'field.paused_or_resumed',
  restarted: 'field.restarted',
  terminated: 'field.terminated',
};

function resourceText(kind: string, t: Words): string {
  const key = RESOURCES[kind];
  return key ? t(key) : kind;
}

/** A field that these pages do not know keeps its own name. */
export function fieldText(field: string, t: Words): string {
  const whole = FIELDS[field];
  if (whole) return t(whole);
  const at = field.lastIndexOf('.');
  const part = at > 0 ? PARTS[field.slice(at + 1)] : undefined;
  return part ? t(part, { kind: resourceText(field.slice(0, at), t) }) : field;
}

export function valueText(
  field: string,
  value: string,
  t: Words,
  format: Pick<Formats, 'bytes' | 'number'>,
): string {
  if (value === '') return '–';
  if (/^\d+$/.test(value)) {
    if (field.endsWith('_bytes')) return format.bytes(BigInt(value));
    if (field.endsWith('.cpu_millis')) return format.number(Number(value) / 1_000, 3);
    if (field.includes('.')) return format.number(BigInt(value));
  }
  if (value === 'true' || value === 'false') return value === 'true' ? t('yes') : t('no');
  return field === 'password' && value === 'another' ? t('field.password.another') : value;
}
