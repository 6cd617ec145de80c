// How many lines a service writes, and how many of them tell of errors.
import { useMemo } from 'react';
import { useSearch } from '../../api/monitor';
import { useI18n } from '../../i18n/i18n';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataNone } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { LINES, linesBody, linesSeries, ofService } from './queries';
import type { OfService } from './Traffic';

export function LineChart({ service, kind, deployment, range }: OfService) {
  const { t } = useI18n();
  const { from, to, bucketMs, previous } = range;
  const indices = [LINES];
  const filter = ofService(service, kind);
  const body = linesBody(filter, range);
  const now = useSearch({ deployment, indices, body }, { keep: true });
  const before = useSearch(
    { deployment, indices, body: previous ? linesBody(filter, { ...previous, bucketMs }) : {} },
    { keep: true, enabled: previous !== undefined },
  );
  const beforeFrom = previous?.from;
  const beforeTo = previous?.to;
  const series = useMemo(
    () =>
      linesSeries(
        { answer: now.data, range: { from, to, bucketMs } },
        beforeFrom !== undefined && beforeTo !== undefined
          ? { answer: before.data, range: { from: beforeFrom, to: beforeTo, bucketMs } }
          : undefined,
        {
          errors: t('services.lines.errors'),
          warnings: t('services.lines.warnings'),
          others: t('services.lines.others'),
        },
      ),
    [now.data, before.data, from, to, bucketMs, beforeFrom, beforeTo, t],
  );
  return (
    <div aria-busy={now.isPlaceholderData}>
      <DataState query={now} lines={5}>
        {() => (
          <TimeChart
            title={t('services.lines.byLevel')}
            unit="count"
            bars
            stacked
            series={series}
            range={{ from, to }}
            height={150}
            onZoom={range.zoom}
            onBack={range.back}
            actions={<ShowQuery deployment={deployment} indices={indices} body={body} />}
            empty={
              <DataNone deployment={deployment} indices={indices} filter={[filter]} onShow={range.zoom} />
            }
          />
        )}
      </DataState>
    </div>
  );
}
