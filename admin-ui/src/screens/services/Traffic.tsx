// Requests, errors and latency of a deployment, as its proxies have seen them.
import { useMemo } from 'react';
import { useSearch } from '../../api/monitor';
import type { ServiceKind } from '../../generated/wharf/monitor/v1/services_pb';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataNone, PartialData } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { termFilter } from '../../shared/search/build';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { ACCESS, isOfNothing, trafficBody, trafficSeries } from './queries';

export interface OfService {
  service: string;
  kind: ServiceKind;
  deployment: string;
  range: TimeRange;
}

export function Traffic({ service, deployment, range }: OfService) {
  const { t } = useI18n();
  const { from, to, bucketMs, previous } = range;
  const indices = [ACCESS];
  const body = trafficBody(service, range);
  const now = useSearch({ deployment, indices, body }, { keep: true });
  const earlier = previous ? { ...previous, bucketMs } : undefined;
  const before = useSearch(
    { deployment, indices, body: earlier ? trafficBody(service, earlier) : {} },
    { keep: true, enabled: earlier !== undefined },
  );
  const beforeFrom = earlier?.from;
  const beforeTo = earlier?.to;
  const series = useMemo(
    () =>
      trafficSeries(
        { answer: now.data, range: { from, to, bucketMs } },
        beforeFrom !== undefined && beforeTo !== undefined
          ? { answer: before.data, range: { from: beforeFrom, to: beforeTo, bucketMs } }
          : undefined,
        {
          requests: t('services.requests.all'),
          refused: t('services.refused'),
          failed: t('services.failed.line'),
          share: t('services.errorShare.line'),
        },
      ),
    [now.data, before.data, from, to, bucketMs, beforeFrom, beforeTo, t],
  );
  const chart = {
    range: { from, to },
    onZoom: range.zoom,
    onBack: range.back,
    height: 150,
    actions: <ShowQuery deployment={deployment} indices={indices} body={body} />,
    empty: (
      <DataNone
        deployment={deployment}
        indices={indices}
        filter={[termFilter('wharf.deployment.name', service)]}
        onShow={range.zoom}
      />
    ),
  };
  return (
    <DataState query={now} lines={6}>
      {(data) =>
        isOfNothing(data) && !now.isPlaceholderData ? (
          <Card title={t('services.rate')}>{chart.empty}</Card>
        ) : (
          <>
            <PartialData answers={[now.data, before.data]} />
            <div className="charts three" aria-busy={now.isPlaceholderData}>
              <TimeChart {...chart} title={t('services.rate')} unit="per second" series={series.requests} />
              <TimeChart {...chart} title={t('services.errorShare')} unit="percent" series={series.errors} />
              <TimeChart
                {...chart}
                title={t('services.latency')}
                note={t('services.latency.note')}
                unit="ms"
                series={series.latency}
              />
            </div>
          </>
        )
      }
    </DataState>
  );
}
