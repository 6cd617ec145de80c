// A panel's data: its search for the span of the page and for the one that is compared with.
import { useMemo } from 'react';
import { type SearchAnswer, useSearch } from '../../api/monitor';
import type { TimeRange } from '../../shared/time/useTimeRange';
import type { Panel } from './document';
import { compared, type Frame, frameOf } from './frame';
import { type Ask, askOf, type Chosen } from './query';

export interface PanelData {
  ask: Ask | undefined;
  frame: Frame | undefined;
  answers: SearchAnswer[];
  error: unknown;
  loading: boolean;
  /** What is shown is of what was asked before. */
  stale: boolean;
  retry: () => void;
}

export interface PanelWhere {
  deployment: string;
  range: TimeRange;
  chosen: readonly Chosen[];
}

const NOTHING: Ask = { indices: [], body: {}, bucketMs: 1_000 };

export function usePanel(panel: Panel, where: PanelWhere, seen: boolean): PanelData {
  const { deployment, range, chosen } = where;
  const { from, to, previous } = range;
  const ask = useMemo(() => askOf(panel, { from, to }, chosen), [panel, from, to, chosen]);
  const earlier = useMemo(
    () => (previous ? askOf(panel, previous, chosen) : undefined),
    [panel, previous, chosen],
  );
  const of = ({ indices, body }: Ask) => ({ deployment, indices, body });
  const now = useSearch(of(ask ?? NOTHING), { enabled: seen && ask !== undefined, keep: true });
  const before = useSearch(of(earlier ?? NOTHING), { enabled: seen && earlier !== undefined, keep: true });
  const frame = useMemo(() => {
    if (!now.data || !ask) return undefined;
    const shown = frameOf(panel, now.data, { from, to, bucketMs: ask.bucketMs });
    if (!before.data || !earlier || !previous) return shown;
    const grid = { ...previous, bucketMs: earlier.bucketMs };
    return compared(shown, frameOf(panel, before.data, grid), from - previous.from);
  }, [panel, now.data, ask, before.data, earlier, from, to, previous]);
  return {
    ask,
    frame,
    answers: [now.data, ...(earlier ? [before.data] : [])].filter((one) => one !== undefined),
    error: now.error ?? (earlier ? before.error : null),
    loading: ask !== undefined && now.data === undefined && !now.error,
    stale: now.isPlaceholderData,
    retry: () => {
      if (ask) void now.refetch();
      if (earlier) void before.refetch();
    },
  };
}
