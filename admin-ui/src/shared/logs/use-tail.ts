// The last lines of a log and those that come: asked for every two seconds while somebody follows and
// looks. Each line is shown once, in order, also when it comes late.
import { useCallback, useEffect, useRef, useState } from 'react';
import { search } from '../../api/monitor';
import { waitBefore } from '../../api/wait';
import {
  freshBody,
  type Line,
  lineOf,
  MOST_LINES,
  merged,
  newestBody,
  OVERLAP_MS,
  type Wanted,
} from './lines';

export interface TailOf extends Wanted {
  deployment: string;
  indices: readonly string[];
}

export interface Tail {
  lines: Line[];
  /** The last lines are there. */
  ready: boolean;
  error: unknown;
  /** There are older ones. */
  more: boolean;
  /** When the storage last answered. */
  asOf: number;
  /** More came at once than could be fetched: some are not shown. */
  skipped: boolean;
}

const PAGE = 200;
const FRESH = 500;
/** So many pages of fresh lines at a time. */
const MOST_PAGES = 4;
/** As many as are kept for a reader who looks back: then nothing more is asked for until the end is in sight. */
const MOST_KEPT = 5 * MOST_LINES;
const EVERY_MS = 2_000;
const NOTHING: Tail = { lines: [], ready: false, error: null, more: false, asOf: 0, skipped: false };

export function useTail(
  of: TailOf,
  follow: boolean,
  keepAll: boolean,
): Tail & { earlier: () => void; retry: () => void } {
  const [tail, setTail] = useState<Tail>(NOTHING);
  const [attempt, setAttempt] = useState(0);
  const asked = JSON.stringify(of);
  const held = useRef({ lines: [] as Line[], keepAll, asked, began: 0, pulled: 0 });
  held.current.keepAll = keepAll;
  held.current.asked = asked;
  held.current.lines = tail.lines;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks the same again
  useEffect(() => {
    const abort = new AbortController();
    const { deployment, indices, ...wanted } = JSON.parse(asked) as TailOf;
    held.current.began = Date.now();
    held.current.pulled = 0;
    setTail(NOTHING);
    search(deployment, { indices: [...indices], body: newestBody(wanted, PAGE) }, abort.signal).then(
      ({ hits }) =>
        setTail({
          lines: hits.hits.map(lineOf).reverse(),
          ready: true,
          error: null,
          more: hits.hits.length === PAGE,
          asOf: Date.now(),
          skipped: false,
        }),
      (error: unknown) => {
        if (!abort.signal.aborted) setTail({ ...NOTHING, error });
      },
    );
    return () => abort.abort();
  }, [asked, attempt]);

  const { ready } = tail;
  useEffect(() => {
    if (!follow || !ready) return;
    const abort = new AbortController();
    const { deployment, indices, ...wanted } = JSON.parse(asked) as TailOf;
    let timer: ReturnType<typeof setTimeout>;
    let failures = 0;
    const pull = async (): Promise<void> => {
      const { lines: known, keepAll: looksBack } = held.current;
      if (looksBack && known.length >= MOST_KEPT) return;
      const newest = known.at(-1);
      let after = { at: (newest?.at ?? held.current.began) - OVERLAP_MS, offset: 0 };
      let fresh: Line[] = [];
      let full = true;
      for (let page = 0; page < MOST_PAGES && full; page += 1) {
        const body = freshBody(wanted, FRESH, after);
        const { hits } = await search(deployment, { indices: [...indices], body }, abort.signal);
        const lines = hits.hits.map(lineOf);
        fresh = [...fresh, ...lines];
        full = lines.length === FRESH;
        after = lines.at(-1) ?? after;
      }
      let skips = false;
      if (full) {
        // So many came that the next look would get no further than this one: it goes on from the newest.
        const { hits } = await search(
          deployment,
          { indices: [...indices], body: newestBody(wanted, FRESH) },
          abort.signal,
        );
        const last = hits.hits.map(lineOf);
        const ids = new Set(fresh.map((line) => line.id));
        skips = !last.some((line) => ids.has(line.id));
        fresh = [...fresh, ...last.filter((line) => !ids.has(line.id))];
      }
      setTail((before) => {
        const lines = merged(before.lines, fresh);
        // While a reader looks back nothing is taken away from above.
        const kept = held.current.keepAll ? Number.POSITIVE_INFINITY : MOST_LINES + held.current.pulled;
        const cut = lines.length > kept;
        return {
          ...before,
          lines: cut ? lines.slice(lines.length - kept) : lines,
          more: before.more || cut,
          error: null,
          asOf: Date.now(),
          skipped: before.skipped || skips,
        };
      });
    };
    const tick = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          await pull();
          failures = 0;
        } catch (error) {
          if (abort.signal.aborted) return;
          failures += 1;
          setTail((before) => ({ ...before, error }));
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
  }, [follow, ready, asked]);

  const earlier = useCallback(() => {
    const oldest = held.current.lines[0];
    if (!oldest) return;
    const { deployment, indices, ...wanted } = JSON.parse(asked) as TailOf;
    search(deployment, { indices: [...indices], body: newestBody(wanted, PAGE, oldest) }).then(
      ({ hits }) => {
        // Lines of what was asked before are none of these.
        if (held.current.asked !== asked) return;
        held.current.pulled += hits.hits.length;
        setTail((before) => ({
          ...before,
          lines: merged(before.lines, hits.hits.map(lineOf)),
          more: hits.hits.length === PAGE,
          error: null,
        }));
      },
      (error: unknown) => {
        if (held.current.asked === asked) setTail((before) => ({ ...before, error }));
      },
    );
  }, [asked]);

  const retry = useCallback(() => setAttempt((times) => times + 1), []);
  return { ...tail, earlier, retry };
}
