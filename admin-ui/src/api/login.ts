// Logging in and out: at a director as a user of the platform, at a monitoring node by the credentials of its
// deployment. The password goes to the server alone and is kept nowhere.
import { create } from '@bufbuild/protobuf';
import { type UseMutationResult, useMutation } from '@tanstack/react-query';
import {
  Sessions as OfDeployment,
  type Session as SessionOfDeployment,
} from '../generated/wharf/monitor/v1/sessions_pb';
import { type Session, SessionSchema, Sessions } from '../generated/wharf/v1/sessions_pb';
import { call, keyOf, mutation } from './call';
import { refusalOf } from './errors';
import { basic } from './header-text';
import { DEPLOYMENT } from './serves';
import { transport } from './transport';
import { retryAfter } from './wait';

/** Under what the session is kept. */
export const SESSION =
  DEPLOYMENT === undefined
    ? keyOf(Sessions.method.getSession, {})
    : keyOf(OfDeployment.method.getSession, {});

interface Credentials {
  username: string;
  password: string;
}

function shown(session: SessionOfDeployment): Session {
  const { username, deployment, createdAt, expiresAt, idleAt } = session;
  return create(SessionSchema, {
    username,
    platform: deployment,
    current: true,
    ...(createdAt ? { createdAt } : {}),
    ...(expiresAt ? { expiresAt } : {}),
    ...(idleAt ? { idleAt } : {}),
  });
}

/** Who is logged in. */
export async function ownSession(signal?: AbortSignal): Promise<Session> {
  if (DEPLOYMENT === undefined) return call(Sessions.method.getSession, {}, signal);
  return shown(await call(OfDeployment.method.getSession, {}, signal));
}

async function logIn(input: Credentials & { mutation: ReturnType<typeof mutation> }): Promise<Session> {
  if (DEPLOYMENT === undefined) {
    const answer = await call(Sessions.method.logIn, input);
    return answer.session ?? ownSession();
  }
  const header = { authorization: basic(input.username, input.password) };
  const answer = await transport.unary(OfDeployment.method.logIn, undefined, 30_000, header, {});
  return answer.message.session ? shown(answer.message.session) : ownSession();
}

async function logOut(): Promise<void> {
  if (DEPLOYMENT === undefined) await call(Sessions.method.logOut, {});
  else await call(OfDeployment.method.logOut, {});
}

const again = {
  retry: (times: number, error: Error) => times < 3 && refusalOf(error).retryable,
  retryDelay: retryAfter,
};

export function useLogIn(done: (session: Session) => void) {
  const change = useMutation<Session, Error, Parameters<typeof logIn>[0]>({
    mutationFn: logIn,
    ...again,
    onSuccess: done,
  });
  // Repeated by itself it is the same log-in, pressed again it is another one.
  const go = (credentials: Credentials) => change.mutate({ ...credentials, mutation: mutation() });
  return { go, error: change.error, isPending: change.isPending };
}

export function useLogOut(done: () => void): UseMutationResult<void, Error, void> {
  return useMutation<void, Error, void>({ mutationFn: logOut, ...again, onSuccess: done });
}
