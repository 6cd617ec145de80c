// What of a request is secret, and the same request with a placeholder in its place.
import { clone, type DescField, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';

/** Stands for a secret that is shown as a placeholder, whether it is written already or not. */
export const SECRET = '…';

const SECRET_FIELDS = new Set([
  // Who knows the address of some services may post there.
  'wharf.v1.WebhookChannel.url',
  'wharf.v1.WebhookChannel.headers',
  'wharf.v1.EnrollRequest.token',
  'wharf.v1.InspectTokenRequest.token',
]);

/** Whether nobody may see what is in this field. */
export function isSecret(field: DescField): boolean {
  return (
    SECRET_FIELDS.has(`${field.parent.typeName}.${field.name}`) ||
    (field.fieldKind === 'scalar' && /password|secret/.test(field.name))
  );
}

function hide(message: ReflectMessage): boolean {
  let hidden = false;
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (isSecret(field)) {
      hidden = true;
      if (field.fieldKind === 'map') {
        const map = message.get(field);
        for (const key of map.keys()) map.set(key, `<${String(key)}>`);
      } else if (field.fieldKind === 'scalar') message.set(field, `<${field.name}>`);
    } else if (field.fieldKind === 'message') {
      hidden = hide(message.get(field)) || hidden;
    } else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const one of message.get(field)) hidden = hide(one as ReflectMessage) || hidden;
    } else if (field.fieldKind === 'map' && field.mapKind === 'message') {
      for (const one of message.get(field).values()) hidden = hide(one as ReflectMessage) || hidden;
    }
  }
  return hidden;
}

/** `<password>` in the place of a password. What was given stays as it is. */
export function withoutSecrets<I extends DescMessage>(
  schema: I,
  message: MessageShape<I>,
): { message: MessageShape<I>; hidden: boolean } {
  const copy = clone(schema, message);
  const hidden = hide(reflect(schema, copy));
  return { message: copy, hidden };
}
