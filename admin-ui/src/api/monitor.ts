// The way to the data of a deployment: calls of `wharf.monitor.v1`, which the director passes on to the
// monitoring node of the deployment that the header names; where that node itself serves the pages, it answers. Not
// here: bodies of searches (`shared/search/build`).
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Interceptor, Transport } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import {
  keepPreviousData,
  type UseMutationResult,
  type UseQueryResult,
  useMutation,
  useQuery,
} from '@tanstack/react-query';
import { Search } from '../generated/wharf/monitor/v1/search_pb';
import type { CallOptions } from './call';
import { SYSTEM, useDeployment } from './deployment';
import { refusalOf } from './errors';
import { headerText } from './header-text';
import { DEPLOYMENT } from './serves';
import { interceptors } from './transport';
import { retryAfter } from './wait';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export interface SearchHit {
  _id: string;
  _index: string;
  _source: JsonObject;
  sort?: Json[];
  fields?: Record<string, Json[]>;
  highlight?: Record<string, string[]>;
}

/** The answer of `_search`, as far as pages read it. */
export interface SearchAnswer {
  took: number;
  timed_out?: boolean;
  _shards?: { total: number; successful: number; failed: number };
  hits: { total?: { value: number; relation: 'eq' | 'gte' }; hits: SearchHit[] };
  aggregations?: Record<string, Json>;
}

export interface SearchInput {
  indices: string[];
  body: JsonObject;
  /** Zero or none: the server's own limit. */
  timeoutMs?: number;
}

export { SYSTEM, useDeployment };

const transports = new Map<string, Transport>();

export function monitorTransport(deployment: string = SYSTEM): Transport {
  const known = transports.get(deployment);
  if (known) return known;
  const named: Interceptor = (next) => (request) => {
    const isNamed = DEPLOYMENT === undefined && deployment !== SYSTEM;
    if (isNamed) request.header.set('x-wharf-deployment', headerText(deployment));
    return next(request);
  };
  const made = createGrpcWebTransport({
    baseUrl: window.location.origin,
    interceptors: [...interceptors, named],
  });
  transports.set(deployment, made);
  return made;
}

export async function monitorCall<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  deployment: string,
  input: MessageInitShape<I>,
  signal?: AbortSignal,
): Promise<MessageShape<O>> {
  const answer = await monitorTransport(deployment).unary(method, signal, 70_000, undefined, input);
  return answer.message;
}

export type MonitorKey = readonly [service: string, method: string, deployment: string, input: unknown];

export function monitorKey<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  deployment: string,
  input: unknown,
): MonitorKey {
  return [method.parent.typeName, method.name, deployment, input];
}

/** Whether it is asked of a monitoring node. */
export function asksMonitor({ queryKey }: { queryKey: readonly unknown[] }): boolean {
  return String(queryKey[0]).startsWith('wharf.monitor.v1.');
}

export interface MonitorOptions extends CallOptions {
  /** None: the one that the URL names. */
  deployment?: string;
}

// The library's guard against data that is a function cannot see that an answer is none.
const kept = keepPreviousData as never;

function settings({ enabled, every, keep }: CallOptions) {
  return {
    enabled: enabled ?? true,
    ...(every ? { refetchInterval: Math.max(every, 5_000) } : {}),
    ...(keep ? { placeholderData: kept } : {}),
  };
}

export function useMonitorCall<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  options: MonitorOptions = {},
): UseQueryResult<MessageShape<O>> {
  const inUrl = useDeployment();
  const deployment = options.deployment ?? inUrl;
  return useQuery<MessageShape<O>, Error, MessageShape<O>, MonitorKey>({
    queryKey: monitorKey(method, deployment, input),
    queryFn: ({ signal }) => monitorCall(method, deployment, input, signal),
    ...settings(options),
  });
}

export function useMonitorChange<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  options: { deployment?: string; done?: (answer: MessageShape<O>) => void } = {},
): UseMutationResult<MessageShape<O>, Error, MessageInitShape<I>> {
  const inUrl = useDeployment();
  const { deployment = inUrl, done } = options;
  return useMutation<MessageShape<O>, Error, MessageInitShape<I>>({
    mutationFn: (input) => monitorCall(method, deployment, input),
    retry: (times, error) => times < 3 && refusalOf(error).retryable,
    retryDelay: retryAfter,
    ...(done ? { onSuccess: (answer: MessageShape<O>) => done(answer) } : {}),
  });
}

export async function search(
  deployment: string,
  { indices, body, timeoutMs }: SearchInput,
  signal?: AbortSignal,
): Promise<SearchAnswer> {
  const answer = await monitorCall(
    Search.method.search,
    deployment,
    { indices, bodyJson: JSON.stringify(body), timeoutMs: BigInt(timeoutMs ?? 0) },
    signal,
  );
  return JSON.parse(answer.responseJson) as SearchAnswer;
}

export function useSearch(
  { deployment, ...input }: SearchInput & { deployment?: string },
  options: CallOptions = {},
): UseQueryResult<SearchAnswer> {
  const inUrl = useDeployment();
  const of = deployment ?? inUrl;
  return useQuery<SearchAnswer, Error, SearchAnswer, MonitorKey>({
    queryKey: monitorKey(Search.method.search, of, input),
    queryFn: ({ signal }) => search(of, input, signal),
    // Each renewal asks of another span: its answer is of no use to anybody later.
    gcTime: 15_000,
    ...settings(options),
  });
}
