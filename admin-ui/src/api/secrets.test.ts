import { create, type DescMessage, type DescService } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ChannelSchema, CreateChannelRequestSchema } from '../generated/wharf/v1/channels_pb';
import { ChangeOwnPasswordRequestSchema, Users } from '../generated/wharf/v1/users_pb';
import { commandBy } from './as-command';
import { isSecret, withoutSecrets } from './secrets';
import { word } from './shell';

/** Of a name that a secret could have, and none. */
const OPEN = [
  'wharf.v1.ClearSettingRequest.key',
  'wharf.v1.GetSettingRequest.key',
  'wharf.v1.ListOptions.page_token',
  'wharf.v1.S3Repository.access_key_id',
  'wharf.v1.SetSettingRequest.key',
];

const services = Object.values(
  import.meta.glob<Record<string, unknown>>('../generated/wharf/**/*_pb.ts', { eager: true }),
)
  .flatMap((file) => Object.values(file))
  .filter((one): one is DescService => (one as { kind?: string } | null)?.kind === 'service');

function fieldsBelow(message: DescMessage, seen = new Set<string>()): string[] {
  if (seen.has(message.typeName)) return [];
  seen.add(message.typeName);
  return message.fields.flatMap((field) => [
    ...(isSecret(field) ? [] : [`${message.typeName}.${field.name}`]),
    ...(field.message ? fieldsBelow(field.message, seen) : []),
  ]);
}

test('no field of a request that has the name of a secret is shown', () => {
  const shown = services
    .flatMap((service) => service.methods)
    // What streams is between the platform's machines.
    .filter((method) => method.methodKind === 'unary')
    .flatMap((method) => fieldsBelow(method.input));
  const doubtful = new Set(
    shown.filter((name) => /\.[^.]*(password|secret|credential|token|key|header)[^.]*$/.test(name)),
  );
  expect([...doubtful].sort()).toEqual(OPEN);
});

test('a password is told apart from another one by the name of its field', () => {
  const { message, hidden } = withoutSecrets(
    ChangeOwnPasswordRequestSchema,
    create(ChangeOwnPasswordRequestSchema, { currentPassword: 'old', password: 'new' }),
  );
  expect(hidden).toBe(true);
  expect(message).toMatchObject({ currentPassword: '<current_password>', password: '<password>' });
});

test('address and headers of a channel are secret, its name and the names of its headers are not', () => {
  const value = { url: 'https://hooks.example/T0/secret', headers: { authorization: 'Bearer x' } };
  const made = create(CreateChannelRequestSchema, {
    channel: { name: 'ops', kind: { case: 'webhook', value } },
  });
  const { message } = withoutSecrets(CreateChannelRequestSchema, made);
  expect(message.channel).toMatchObject({
    name: 'ops',
    kind: { value: { url: '<url>', headers: { authorization: '<authorization>' } } },
  });
  expect(made.channel?.kind.value, 'the form keeps what was written').toMatchObject(value);
});

test('a mail without a password gets none', () => {
  const value = { host: 'smtp.example', from: 'a@example' };
  const made = create(ChannelSchema, { name: 'mail', kind: { case: 'email', value } });
  const { message, hidden } = withoutSecrets(ChannelSchema, made);
  expect(hidden).toBe(false);
  expect(message).toEqual(made);
});

test('a command of a call with a secret is made without it', () => {
  const { createUser } = Users.method;
  const made = create(createUser.input, { username: 'alice', password: 'hunter2' });
  const make = ({ username, password }: typeof made) => ({ words: ['user', username, word(password)] });
  const line = commandBy(make, createUser, made, 'web', 0);
  expect(line).toBe("wharf -o json user alice '<password>' --deployment=web");
});
