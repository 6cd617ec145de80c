// The last lines of a log and those that come: asked for every two seconds while somebody follows and
// looks. Each line is shown once, in order, also when it comes late.
import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { monitorKey, search } from '../../api/monitor';
import { waitBefore } from '../../api/wait';
import { Search } from '../../generated/wharf/monitor/v1/search_pb';
import { freshBody, type Line, lineOf, MOST_LINES, newestBody, OVERLAP_MS, type Wanted } from './lines';
import { begun, lengthened, type Pulled, renewed, type Tail } from './tail';

export interface TailOf extends Wanted {
  deployment: string;
  indices: readonly string[];
}

const PAGE = 200;
const FRESH = 500;
/** So many pages of fresh lines at a time. */
const MOST_PAGES = 4;
/** As many as are kept for a reader who looks back: then nothing more is asked for until the end is in sight. */
const MOST_KEPT = 5 * MOST_LINES;
const EVERY_MS = 2_000;

interface First {
  tail: Tail;
  /** When it was asked for: later lines are none of it. */
  asked: number;
}

/** What came after the newest line that is known, oldest first. */
async function pull(of: TailOf, after: Pick<Line, 'at' | 'offset'>, signal: AbortSignal): Promise<Pulled> {
  const { deployment, indices, ...wanted } = of;
  const ask = (body: ReturnType<typeof freshBody>) =>
    search(deployment, { indices: [...indices], body }, signal);
  const answers = [];
  let lines: Line[] = [];
  let from = after;
  let full = true;
  for (let page = 0; page < MOST_PAGES && full; page += 1) {
    const answer = await ask(freshBody(wanted, FRESH, from));
    const found = answer.hits.hits.map(lineOf);
    answers.push(answer);
    lines = [...lines, ...found];
    full = found.length === FRESH;
    from = found.at(-1) ?? from;
  }
  if (!full) return { lines, answers, skips: false };
  // So many came that the next look would get no further than this one: it goes on from the newest.
  const newest = await ask(newestBody(wanted, FRESH));
  const last = newest.hits.hits.map(lineOf);
  const ids = new Set(lines.map((line) => line.id));
  const skips = !last.some((line) => ids.has(line.id));
  return {
    lines: [...lines, ...last.filter((line) => !ids.has(line.id))],
    answers: [...answers, newest],
    skips,
  };
}

export interface TailState {
  /** The newest lines as they were asked for first: it comes, or why it could not be had. */
  first: UseQueryResult<unknown>;
  /** Nothing until they are there. */
  tail: Tail | undefined;
  earlier: () => void;
}

export function useTail(of: TailOf, follow: boolean, keepAll: boolean): TailState {
  const { deployment, indices, ...wanted } = of;
  const input = { indices: [...indices], body: newestBody(wanted, PAGE) };
  const asked = JSON.stringify(of);
  // A query as any other: asked again by itself and by every button that asks again.
  const first = useQuery<First>({
    queryKey: [...monitorKey(Search.method.search, deployment, input), 'tail'],
    queryFn: async ({ signal }) => {
      const at = Date.now();
      const answer = await search(deployment, input, signal);
      return { tail: begun(answer, PAGE, Date.now()), asked: at };
    },
    // What is followed is renewed by following; what is not stays as it was read.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const [grown, setGrown] = useState<{ from: First; tail: Tail }>();
  const begin = first.data;
  const tail = grown && grown.from === begin ? grown.tail : begin?.tail;
  const held = useRef({ begin, tail, keepAll });
  held.current.begin = begin;
  held.current.keepAll = keepAll;
  held.current.tail = tail;

  /** Lines of what was asked before are none of these. */
  const grow = useCallback((from: First, by: (before: Tail) => Tail) => {
    if (held.current.begin !== from) return;
    setGrown((before) => ({ from, tail: by(before?.from === from ? before.tail : from.tail) }));
  }, []);

  useEffect(() => {
    if (!begin || !follow) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let failures = 0;
    const look = async (): Promise<void> => {
      const known = held.current.tail?.lines ?? [];
      if (held.current.keepAll && known.length >= MOST_KEPT) return;
      const after = { at: (known.at(-1)?.at ?? begin.asked) - OVERLAP_MS, offset: 0 };
      const pulled = await pull(JSON.parse(asked) as TailOf, after, abort.signal);
      if (abort.signal.aborted) return;
      const { keepAll } = held.current;
      grow(begin, (before) => renewed(before, pulled, keepAll, Date.now()));
    };
    const tick = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          await look();
          failures = 0;
        } catch (error) {
          if (abort.signal.aborted) return;
          failures += 1;
          grow(begin, (before) => ({ ...before, error }));
        }
      }
      if (abort.signal.aborted) return;
      timer = setTimeout(() => void tick(), failures > 0 ? waitBefore(failures, Math.random()) : EVERY_MS);
    };
    timer = setTimeout(() => void tick(), EVERY_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [follow, begin, asked, grow]);

  const earlier = useCallback(() => {
    const oldest = held.current.tail?.lines[0];
    if (!oldest || !begin) return;
    const { deployment, indices, ...wanted } = JSON.parse(asked) as TailOf;
    search(deployment, { indices: [...indices], body: newestBody(wanted, PAGE, oldest) }).then(
      (answer) => grow(begin, (before) => lengthened(before, answer, PAGE)),
      (error: unknown) => grow(begin, (before) => ({ ...before, error })),
    );
  }, [asked, begin, grow]);

  return { first, tail, earlier };
}
