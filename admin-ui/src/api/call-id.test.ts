import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Platform } from '../generated/wharf/v1/platform_pb';
import { Streams } from '../generated/wharf/v1/streams_pb';
import { newId, withCallId } from './call-id';
import { refusalOf } from './errors';

/** A server that answers what it is told to, and the ids that it saw. */
function served(fails: boolean) {
  const seen: (string | null)[] = [];
  const transport = createRouterTransport(
    (router) => {
      router.service(Platform, {
        getStatus(_, { requestHeader }) {
          seen.push(requestHeader.get('x-wharf-call-id'));
          if (fails) throw new ConnectError('no such thing', Code.NotFound);
          return {};
        },
      });
      router.service(Streams, {
        async *watch(_, { requestHeader }) {
          seen.push(requestHeader.get('x-wharf-call-id'));
          yield { version: 1n };
          throw new ConnectError('it broke off', Code.Aborted);
        },
      });
    },
    { transport: { interceptors: [withCallId] } },
  );
  return { seen, transport };
}

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

test('an id is 32 hex characters, and each is another one', () => {
  expect(newId()).toMatch(/^[0-9a-f]{32}$/);
  expect(newId()).not.toBe(newId());
});

test('every try of a call has an id of its own, and its failure tells it', async () => {
  const { seen, transport } = served(true);
  const client = createClient(Platform, transport);
  const first = await failureOf(() => client.getStatus({}));
  const second = await failureOf(() => client.getStatus({}));
  expect(seen).toHaveLength(2);
  expect(seen[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(seen[0]).not.toBe(seen[1]);
  expect([refusalOf(first).callId, refusalOf(second).callId]).toEqual(seen);
  expect(refusalOf(first)).toMatchObject({ message: 'no such thing', grpc: Code.NotFound });
});

test('a call that goes well has one, too', async () => {
  const { seen, transport } = served(false);
  await createClient(Platform, transport).getStatus({});
  expect(seen[0]).toMatch(/^[0-9a-f]{32}$/);
});

test('a stream that breaks off tells under which id', async () => {
  const { seen, transport } = served(false);
  const versions: bigint[] = [];
  const error = await failureOf(async () => {
    for await (const event of createClient(Streams, transport).watch({})) versions.push(event.version);
  });
  expect(versions).toEqual([1n]);
  expect(refusalOf(error)).toMatchObject({ callId: seen[0], message: 'it broke off' });
});

test('what fails before it is a call has no id', () => {
  expect(refusalOf(new Error('no')).callId).toBe('');
});
