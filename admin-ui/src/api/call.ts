// Calls as hooks: a unary method, what it is asked, and what came back. Reads are kept by method and
// request; changes carry an id of their own, so that a repeated one is answered and not done twice.
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import {
  keepPreviousData,
  type UseMutationResult,
  type UseQueryResult,
  useMutation,
  useQuery,
} from '@tanstack/react-query';
import { newId } from './call-id';
import { refusalOf } from './errors';
import { transport } from './transport';
import { retryAfter } from './wait';

export type QueryKey = readonly [service: string, method: string, input: unknown];

/** BigInts cannot be written as JSON by themselves. */
export function hashKey(key: readonly unknown[]): string {
  return JSON.stringify(key, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

export function keyOf<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
): QueryKey {
  return [method.parent.typeName, method.name, input];
}

export async function call<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  signal?: AbortSignal,
): Promise<MessageShape<O>> {
  const answer = await transport.unary(method, signal, 30_000, undefined, input);
  return answer.message;
}

// The library's guard against data that is a function cannot see that a message is none.
const kept = keepPreviousData as never;

export interface CallOptions {
  enabled?: boolean;
  /** Milliseconds; never below 5,000. For what the live stream does not carry. */
  every?: number;
  /** The last page stays while the next one is fetched. */
  keep?: boolean;
}

export function useCall<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  options: CallOptions = {},
): UseQueryResult<MessageShape<O>> {
  return useQuery<MessageShape<O>, Error, MessageShape<O>, QueryKey>({
    queryKey: keyOf(method, input),
    queryFn: ({ signal }) => call(method, input, signal),
    enabled: options.enabled ?? true,
    ...(options.every ? { refetchInterval: Math.max(options.every, 5_000) } : {}),
    ...(options.keep ? { placeholderData: kept } : {}),
  });
}

export function useChange<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  done?: (answer: MessageShape<O>) => void,
): UseMutationResult<MessageShape<O>, Error, MessageInitShape<I>> {
  return useMutation<MessageShape<O>, Error, MessageInitShape<I>>({
    mutationFn: (input) => call(method, input),
    // The same request id: what was done already is answered and not done twice.
    retry: (times, error) => times < 3 && refusalOf(error).retryable,
    retryDelay: retryAfter,
    ...(done ? { onSuccess: (answer: MessageShape<O>) => done(answer) } : {}),
  });
}

export function mutation(expectedVersion: bigint = 0n): { requestId: string; expectedVersion: bigint } {
  return { requestId: newId(), expectedVersion };
}

/** What a change would do. Each time it is asked under an id of its own. */
export function useDryRun<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  enabled: boolean,
): UseQueryResult<MessageShape<O>> {
  return useQuery<MessageShape<O>>({
    // Not under its service: the live stream would have the directors plan anew at every change.
    queryKey: ['dry run', method.parent.typeName, method.name, input],
    queryFn: ({ signal }) =>
      call(method, { ...input, mutation: mutation(), dryRun: true } as MessageInitShape<I>, signal),
    enabled,
    retry: false,
    // What was foretold to one who has gone may not hold any more.
    gcTime: 0,
    placeholderData: kept,
  });
}
