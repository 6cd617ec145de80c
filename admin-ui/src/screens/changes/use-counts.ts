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
import {
  beside,
  type Counted,
  type CountedBefore,
  type Cut,
  countsOf,
  cutOf,
  earlier,
  kindsOf,
  seriesOf,
} from './counts';

function asked(filter: string, { from, to, spans }: Cut) {
  return { filter, since: timestampFromMs(from), until: timestampFromMs(to), spans };
}

export function useCounts(filter: string, range: TimeRange, chosen: string | undefined) {
  const { t, language } = useI18n();
  const look = useLook();
  const { from, to, previous, raw, compare } = range;
  const cut = useMemo(() => cutOf({ from, to }), [from, to]);
  const by = previous ? from - previous.from : 0;
  const input = asked(filter, cut);
  const query = useCall(Events.method.countEvents, input, { keep: true });
  const before = useCall(Events.method.countEvents, asked(filter, earlier(cut, by)), { enabled: by > 0 });
  const of = JSON.stringify([filter, raw, compare, cut.bucketMs]);
  const { refetch } = query;
  // Within a bar a later end is the same question.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a renewal is told by another end
  useEffect(() => void refetch({ cancelRefetch: false }), [refetch, to]);
  // What is still on its way is of other bars than those that are shown.
  const answer = query.isPlaceholderData ? undefined : query.data;
  const last = useRef<Counted>(undefined);
  last.current =
    useMemo(() => answer && { counts: countsOf(answer), cut, of }, [answer, cut, of]) ?? last.current;
  const now = last.current;
  const compares = by > 0;
  const lastBefore = useRef<CountedBefore>(undefined);
  lastBefore.current =
    useMemo(
      () =>
        compares && before.data
          ? { counts: countsOf(before.data), cut: earlier(cut, by), by, of }
          : undefined,
      [compares, before.data, cut, by, of],
    ) ?? lastBefore.current;
  const then = compares ? beside(now, lastBefore.current) : undefined;
  const series = useMemo(() => {
    const looks = {
      kind: (kind: string) => eventKind(kind, language),
      others: t('changes.others'),
      colour: (slot: number) => colourAt(slot, look),
    };
    return now ? seriesOf(now, then, chosen, looks) : [];
  }, [now, then, chosen, language, look, t]);
  return {
    query,
    before: compares ? before : undefined,
    input,
    cut,
    series,
    kinds: kindsOf(now?.counts),
    heldSince: now?.counts.heldSince,
  };
}
