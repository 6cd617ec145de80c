// How many changes of each kind there were over time, beside the span that it is compared with. The directors count;
// the storage is not asked.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { useEffect, useMemo, useRef } from 'react';
import { useCall } from '../../api/call';
import { Events } from '../../generated/wharf/v1/events_pb';
import { useI18n } from '../../i18n/i18n';
import { colourAt } from '../../shared/chart/colours';
import { useLook } from '../../shared/chart/use-look';
import { eventKind } from '../../shared/status/event-kinds';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { type Counted, type Cut, countsOf, cutOf, earlier, kindsOf, seriesOf } from './counts';

function asked(filter: string, { from, to, spans }: Cut) {
  return { filter, since: timestampFromMs(from), until: timestampFromMs(to), spans };
}

export function useCounts(filter: string, range: TimeRange, chosen: string | undefined) {
  const { t, language } = useI18n();
  const look = useLook();
  const { from, to, previous, refreshMs } = range;
  const cut = useMemo(() => cutOf({ from, to }), [from, to]);
  const by = previous ? from - previous.from : 0;
  const input = asked(filter, cut);
  const query = useCall(Events.method.countEvents, input, { keep: true, every: refreshMs });
  const before = useCall(Events.method.countEvents, asked(filter, earlier(cut, by)), { enabled: by > 0 });
  const { refetch } = query;
  // Within a bar a later end is the same question.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a renewal is told by another end
  useEffect(() => void refetch({ cancelRefetch: false }), [refetch, to]);
  // What is still on its way is of other bars than those that are shown.
  const answer = query.isPlaceholderData ? undefined : query.data;
  const last = useRef<Counted>(undefined);
  last.current = useMemo(() => answer && { counts: countsOf(answer), cut }, [answer, cut]) ?? last.current;
  const now = last.current;
  const then = useMemo(
    () => (by > 0 && before.data ? { counts: countsOf(before.data), cut: earlier(cut, by) } : undefined),
    [by, before.data, cut],
  );
  const series = useMemo(() => {
    const looks = {
      kind: (kind: string) => eventKind(kind, language),
      others: t('changes.others'),
      colour: (slot: number) => colourAt(slot, look),
    };
    return now ? seriesOf(now, then, chosen, looks) : [];
  }, [now, then, chosen, language, look, t]);
  return { query, input, cut, series, kinds: kindsOf(now?.counts), heldSince: now?.counts.heldSince };
}
