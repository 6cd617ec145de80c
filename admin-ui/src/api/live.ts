// The tab's one live stream: the director says what kind of thing has changed, and the lists that show
// such things fetch their page again, at most once in a while: a page of 2,000 hosts costs no more than one
// of ten. Reconnects with jitter and says where it stopped; sleeps while nobody looks. Not here: what is
// shown of its state (`app/shell`).
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { Platform } from '../generated/wharf/v1/platform_pb';
import { Streams, Topic, type WatchEvent, WatchRequestSchema } from '../generated/wharf/v1/streams_pb';
import { hashKey, keyOf } from './call';
import { newId } from './call-id';
import { transport } from './transport';
import { waitBefore } from './wait';

export type LiveState = 'connecting' | 'live' | 'waiting' | 'asleep';

const TOPICS = [Topic.STATUS, Topic.DEPLOYMENTS, Topic.PLANS, Topic.ALLOCATORS];
/** A heartbeat comes every 10 s. */
const SILENCE_MS = 30_000;
const GATHER_MS = 1_000;
/** Hosts tell of themselves every few seconds, each of them. */
const GATHER_HOSTS_MS = 5_000;
const ASLEEP_AFTER_MS = 60_000;

const touched: Partial<Record<Topic, string[]>> = {
  [Topic.STATUS]: ['wharf.v1.Directors', 'wharf.v1.Proxies'],
  [Topic.DEPLOYMENTS]: ['wharf.v1.Deployments', 'wharf.v1.Instances'],
  [Topic.PLANS]: ['wharf.v1.Plans', 'wharf.v1.Events'],
};
const HOSTS = ['wharf.v1.Allocators'];

let state: LiveState = 'connecting';
const listeners = new Set<() => void>();

function setState(next: LiveState): void {
  if (state === next) return;
  state = next;
  for (const listener of listeners) listener();
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

class Gatherer {
  private readonly services = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly queries: QueryClient,
    private readonly every: number,
  ) {}

  add(services: readonly string[]): void {
    for (const service of services) this.services.add(service);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const gathered = new Set(this.services);
      this.services.clear();
      void this.queries.invalidateQueries({
        predicate: (query) => gathered.has(String(query.queryKey[0])),
      });
    }, this.every);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

interface Gatherers {
  few: Gatherer;
  hosts: Gatherer;
}

function take({ event }: WatchEvent, queries: QueryClient, gatherers: Gatherers): void {
  const changed = (topics: readonly Topic[]): void => {
    gatherers.few.add(topics.flatMap((topic) => touched[topic] ?? []));
    if (topics.includes(Topic.ALLOCATORS)) gatherers.hosts.add(HOSTS);
  };
  if (event.case === 'status') {
    // Only what somebody has looked at is kept: the cache is no copy of the platform.
    const query = queries.getQueryCache().get(hashKey(keyOf(Platform.method.getStatus, {})));
    if (query) queries.setQueryData(query.queryKey, event.value);
    changed([Topic.STATUS]);
  }
  if (event.case === 'changed' || event.case === 'skipped') changed(event.value.topics);
}

/** Opens the stream and keeps it open until the answer is called. */
export function startLive(queries: QueryClient): () => void {
  const client = createClient(Streams, transport);
  const gatherers = { few: new Gatherer(queries, GATHER_MS), hosts: new Gatherer(queries, GATHER_HOSTS_MS) };
  const id = newId();
  let seen = 0n;
  let attempt = 0;
  // What changed between the page's first calls and the subscription is told by nobody.
  let unheard = true;
  let stopped = false;
  let opened: AbortController | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let sleep: ReturnType<typeof setTimeout> | undefined;

  const run = async (): Promise<void> => {
    const abort = new AbortController();
    opened = abort;
    setState('connecting');
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    alive();
    try {
      const request = create(WatchRequestSchema, {
        streamId: id,
        topics: TOPICS,
        resumeVersion: seen,
        onlyTopics: true,
      });
      for await (const event of client.watch(request, { signal: abort.signal })) {
        alive();
        if (unheard) {
          // What happened while it was away may be more than what it tells of.
          attempt = 0;
          unheard = false;
          void queries.invalidateQueries();
        }
        seen = event.version;
        setState('live');
        take(event, queries, gatherers);
      }
    } catch {
      // Whatever the reason is: calls tell of it, the stream tries again.
    } finally {
      clearTimeout(silence);
    }
    if (stopped || opened !== abort) return;
    attempt += 1;
    unheard = true;
    setState('waiting');
    again = setTimeout(() => void run(), waitBefore(attempt, Math.random()));
  };

  const close = (): void => {
    clearTimeout(again);
    const abort = opened;
    opened = undefined;
    abort?.abort();
  };

  const look = (): void => {
    clearTimeout(sleep);
    if (document.hidden) {
      sleep = setTimeout(() => {
        close();
        setState('asleep');
      }, ASLEEP_AFTER_MS);
    } else if (state === 'asleep') {
      attempt = 1;
      unheard = true;
      void run();
    }
  };

  document.addEventListener('visibilitychange', look);
  void run();
  return () => {
    stopped = true;
    document.removeEventListener('visibilitychange', look);
    clearTimeout(sleep);
    gatherers.few.stop();
    gatherers.hosts.stop();
    close();
  };
}
