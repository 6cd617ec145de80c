// The documents that are listed: pages backwards in time, and what came since while they are followed.
import { Code } from '@connectrpc/connect';
import { type InfiniteData, useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { refusalOf } from '../../api/errors';
import { monitorKey, type SearchAnswer, search } from '../../api/monitor';
import { waitBefore } from '../../api/wait';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import type { Hit } from './document';
import { arrived, distinct, merged, NO_TAIL, rateOf, released, type Tail } from './lines';
import { NEWEST } from './order';
import {
  type After,
  afterOf,
  type ListRequest,
  newerBody,
  PAGE,
  pageBody,
  ranked,
  sinceOf,
} from './requests';

/** Lines that are kept of what is followed; older ones are read again from the storage. */
export const MOST_KEPT = 5_000;
const NEWER = 500;
const ASK_AGAIN_MS = 2_000;
const SMALLEST_PAGE = 10;
/** Pages of other questions are large: they are kept for a step back only. */
const PAGES_KEPT_MS = 15_000;

export interface Listing extends ListRequest {
  deployment: string;
  indices: string[];
}

export interface DocumentPage {
  hits: Hit[];
  more: boolean;
  answer: SearchAnswer;
}

/** One page; a smaller one where the documents are too large for an answer. */
export async function fetchPage(
  listing: Listing,
  after: After | undefined,
  size: number,
  signal?: AbortSignal,
): Promise<DocumentPage> {
  try {
    const { deployment, indices, order = NEWEST } = listing;
    const answer = await search(deployment, { indices, body: pageBody(listing, after, size) }, signal);
    const hits = ranked(answer.hits.hits, order);
    return { hits, more: hits.length === size, answer };
  } catch (error) {
    const tooLarge = refusalOf(error).grpc === Code.ResourceExhausted;
    if (!tooLarge || size <= SMALLEST_PAGE) throw error;
    return fetchPage(listing, after, Math.ceil(size / 4), signal);
  }
}

type PageKey = readonly unknown[];

export function usePages(listing: Listing, enabled: boolean) {
  const { deployment, ...input } = listing;
  const query = useInfiniteQuery<DocumentPage, Error, InfiniteData<DocumentPage>, PageKey, After | undefined>(
    {
      queryKey: [...monitorKey(Search.method.search, deployment, input), 'pages'],
      queryFn: ({ pageParam, signal }) => fetchPage(listing, pageParam, PAGE, signal),
      initialPageParam: undefined,
      getNextPageParam: (last, pages, asked) => {
        const next = afterOf(distinct(pages.flatMap((page) => page.hits)), listing.order);
        // A page that brought nothing new would be brought again.
        return last.more && JSON.stringify(next) !== JSON.stringify(asked) ? next : undefined;
      },
      placeholderData: (before) => before,
      enabled,
      gcTime: PAGES_KEPT_MS,
      // All pages would be read again, and move under the reader.
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
    },
  );
  const hits = useMemo(() => distinct(query.data?.pages.flatMap((page) => page.hits) ?? []), [query.data]);
  const answers = query.data?.pages.map((page) => page.answer) ?? [];
  return { query, hits, answers };
}

export interface Followed {
  /** Newest first, shown already. */
  fresh: Hit[];
  /** How many wait until they are asked for. */
  held: number;
  /** Lines in a second. */
  rate: number | undefined;
  /** Lines that came faster than they could be shown. */
  skipped: number;
  error: unknown;
  /** Shows what waits. */
  release: () => void;
}

/** Asks every two seconds for what is newer than what is known; holds it back while paused. */
export function useFollow(listing: Listing, known: readonly Hit[], on: boolean, paused: boolean): Followed {
  const [tail, setTail] = useState<Tail>(NO_TAIL);
  const [error, setError] = useState<unknown>(null);
  const { deployment, indices, q, columns } = listing;
  const begin = listing.span.to;
  const key = JSON.stringify([deployment, indices, q, columns, begin]);
  const seen = useRef({ tail, known, paused });
  seen.current = { tail, known, paused };

  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says whether the question is another
  useEffect(() => {
    setTail(NO_TAIL);
    setError(null);
    if (!on) return;
    const ends = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const look = async (): Promise<void> => {
      const asked = Date.now();
      if (document.hidden) {
        timer = setTimeout(() => void look(), ASK_AGAIN_MS);
        return;
      }
      const { fresh, held } = seen.current.tail;
      const lines = merged([...held, ...fresh], seen.current.known, MOST_KEPT);
      const body = newerBody(q, sinceOf(lines, begin), columns, NEWER);
      try {
        const { hits } = await search(deployment, { indices, body }, ends.signal);
        if (ends.signal.aborted) return;
        const total = hits.total?.value ?? hits.hits.length;
        setTail((before) =>
          arrived(before, hits.hits, total, asked, { paused: seen.current.paused, most: MOST_KEPT }),
        );
        failures = 0;
        setError(null);
      } catch (failure) {
        if (ends.signal.aborted) return;
        failures += 1;
        setError(failure);
      }
      const wait = failures > 0 ? waitBefore(failures, Math.random()) : asked + ASK_AGAIN_MS - Date.now();
      timer = setTimeout(() => void look(), Math.max(0, wait));
    };
    void look();
    return () => {
      ends.abort();
      clearTimeout(timer);
    };
  }, [on, key]);

  const release = useCallback(() => setTail((before) => released(before, MOST_KEPT)), []);
  return {
    fresh: tail.fresh,
    held: tail.held.length,
    rate: on ? rateOf(tail.arrivals, Date.now()) : undefined,
    skipped: tail.skipped,
    error,
    release,
  };
}
