// The way to the director: gRPC-web on the page's own origin. The header tells the director that a
// page of its own makes the call, because another site's page could send the cookie but never that.
import { Code, ConnectError, type Interceptor, type Transport } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { withCallId } from './call-id';

const sessionHeader: Interceptor = (next) => (request) => {
  request.header.set('x-wharf-session', '1');
  return next(request);
};

type Listener = () => void;
let whenEnded: Listener = () => {};

/** Told once a call is refused because nobody is logged in any more. */
export function onSessionEnded(listener: Listener): void {
  whenEnded = listener;
}

export function sessionEnded(): void {
  whenEnded();
}

const watchForEnd: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    const logsIn = request.method.name === 'LogIn' || request.method.name === 'GetSession';
    if (!logsIn && ConnectError.from(error).code === Code.Unauthenticated) sessionEnded();
    throw error;
  }
};

/** What every call of a page carries and watches for. */
export const interceptors: readonly Interceptor[] = [withCallId, sessionHeader, watchForEnd];

export const transport: Transport = createGrpcWebTransport({
  baseUrl: window.location.origin,
  interceptors: [...interceptors],
});
