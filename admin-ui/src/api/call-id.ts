// The id of a call, by which what failed is found in the directors' logs: each call and each other try of it has one of
// its own, and what it fails with carries it.
import { ConnectError, type Interceptor } from '@connectrpc/connect';

const HEADER = 'x-wharf-call-id';

/** 32 lower-case hex characters. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function identified(error: unknown, id: string): ConnectError {
  const failed = ConnectError.from(error);
  failed.metadata.set(HEADER, id);
  return failed;
}

/** What comes after the first answer fails under the same id. */
async function* told<M>(messages: AsyncIterable<M>, id: string): AsyncIterable<M> {
  try {
    yield* messages;
  } catch (error) {
    throw identified(error, id);
  }
}

export const withCallId: Interceptor = (next) => async (request) => {
  const id = newId();
  request.header.set(HEADER, id);
  try {
    const answer = await next(request);
    return answer.stream ? { ...answer, message: told(answer.message, id) } : answer;
  } catch (error) {
    throw identified(error, id);
  }
};

/** Under which id it failed; empty: it is no failure of a call. */
export function callIdOf(error: ConnectError): string {
  return error.metadata.get(HEADER) ?? '';
}
