// The span of time that a page shows, from its URL: `from`, `to`, `refresh`, `compare`.
import { useMemo, useSyncExternalStore } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { useSearchParams } from '../use-search-params';
import { pageNow, renewNow, subscribeNow } from './clock';
import {
  backBy,
  bucketFor,
  COMPARES,
  type Compare,
  type Instants,
  isoOf,
  isRelative,
  type RawRange,
  rangeFrom,
  shifted,
  widened,
} from './range';

export interface TimeDefaults {
  from?: string;
  to?: string;
  /** Seconds; 0: never by itself. */
  refresh?: number;
  compare?: Compare;
}

export interface TimeChange {
  from?: string;
  to?: string;
  refresh?: number;
  /** `none` also where the page compares of itself. */
  compare?: Compare | 'none';
}

export interface TimeRange extends Instants {
  span: number;
  raw: RawRange;
  /** 0: never by itself. */
  refreshMs: number;
  compare: Compare | undefined;
  /** The span that it is compared with. */
  previous: Instants | undefined;
  bucketMs: number;
  zoom: (from: number, to: number) => void;
  /** To what was shown before a zoom, else twice as much. */
  back: () => void;
  /** One window earlier (-1) or later (1). */
  move: (windows: -1 | 1) => void;
  set: (change: TimeChange) => void;
  /** Asks anew, as of now. */
  renew: () => void;
}

interface Trail {
  before?: RawRange[];
}

const MOST_KEPT = 20;

/** Everything on a page that uses it must give the same defaults. */
export function useTimeRange(defaults: TimeDefaults = {}): TimeRange {
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const location = useLocation();
  const now = useSyncExternalStore(subscribeNow, pageNow);
  const { from: usualFrom = 'now-1h', to: usualTo = 'now', refresh: usualRefresh = 0 } = defaults;
  const usualCompare = defaults.compare;
  const text = params.toString();
  return useMemo<TimeRange>(() => {
    const asked = new URLSearchParams(text);
    const usual = { from: usualFrom, to: usualTo };
    const wanted = { from: asked.get('from') ?? usual.from, to: asked.get('to') ?? usual.to };
    const { from, to, raw } = rangeFrom(wanted, now, usual);
    const span = to - from;
    const compare = asked.has('compare')
      ? COMPARES.find((one) => one === asked.get('compare'))
      : usualCompare;
    const seconds = asked.has('refresh') ? Number(asked.get('refresh')) : usualRefresh;
    // What has ended does not change any more.
    const moves = isRelative(raw.from) || isRelative(raw.to);
    const refreshMs = moves && Number.isFinite(seconds) && seconds > 0 ? Math.max(seconds, 5) * 1_000 : 0;
    const state = (location.state ?? {}) as Trail;
    const go = (change: TimeChange, before: RawRange[], replace = false) => {
      const next = new URLSearchParams(text);
      for (const [name, value] of Object.entries(change)) {
        const usually = name === 'compare' && value === (usualCompare ?? 'none');
        if (value === undefined || usually) next.delete(name);
        else next.set(name, String(value));
      }
      // Another span has pages of its own.
      for (const name of [...next.keys()]) if (/(^|\.)(after|page)$/.test(name)) next.delete(name);
      renewNow();
      void navigate({ search: `?${next}` }, { state: { before }, replace });
    };
    const kept = state.before ?? [];
    return {
      from,
      to,
      span,
      raw,
      refreshMs,
      compare,
      previous: compare ? { from: from - backBy(compare, span), to: to - backBy(compare, span) } : undefined,
      bucketMs: bucketFor(span),
      zoom: (start, end) => go({ from: isoOf(start), to: isoOf(end) }, [...kept, raw].slice(-MOST_KEPT)),
      back: () => {
        const last = kept.at(-1);
        go(last ?? widened({ from, to }, now), kept.slice(0, -1));
      },
      move: (windows) => go(shifted({ from, to }, windows), kept),
      set: (change) => go(change, 'from' in change ? [] : kept, !('from' in change)),
      renew: renewNow,
    };
  }, [text, now, usualFrom, usualTo, usualRefresh, usualCompare, location.state, navigate]);
}
