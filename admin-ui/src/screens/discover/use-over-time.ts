// What Discover's chart is of: the documents over time, and those of the span that is compared with.
import { useMemo } from 'react';
import { useSearch } from '../../api/monitor';
import { useT } from '../../i18n/i18n';
import { bucketsOf, type Span } from '../../shared/search/build';
import { bucketFor } from '../../shared/time/range';
import { seriesOf } from './histogram';
import { beforeBody, overTimeBody } from './requests';

const BARS = 80;

interface OverTime {
  indices: string[];
  q: string;
  span: Span;
  /** How far back that is which it is compared with; 0: it is not. */
  by: number;
  enabled: boolean;
}

export function useOverTime({ indices, q, span, by, enabled }: OverTime) {
  const t = useT();
  const { from, to } = span;
  const bucketMs = bucketFor(to - from, BARS);
  const now = useSearch({ indices, body: overTimeBody(q, { from, to, bucketMs }) }, { enabled, keep: true });
  const before = useSearch(
    { indices, body: by > 0 ? beforeBody(q, { from: from - by, to: to - by, bucketMs }) : {} },
    { enabled: enabled && by > 0, keep: true },
  );
  const earlier = by > 0 ? before.data : undefined;
  const series = useMemo(
    () =>
      seriesOf(
        bucketsOf(now.data?.aggregations, 'time'),
        {
          bad: t('discover.band.bad'),
          warn: t('discover.band.warn'),
          note: t('discover.band.note'),
          off: t('discover.band.off'),
          none: t('discover.band.none'),
          all: t('discover.documents'),
        },
        earlier ? { buckets: bucketsOf(earlier.aggregations, 'time'), by } : undefined,
      ),
    [now.data, earlier, by, t],
  );
  return { now, before: by > 0 ? before : undefined, earlier, series };
}
