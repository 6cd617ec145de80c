// Requests, errors and latency of a deployment, as its proxies have seen them.
import { useMemo } from 'react';
import { useSearch } from '../../api/monitor';
import type { ServiceKind } from '../../generated/wharf/monitor/v1/services_pb';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { valueText } from '../../shared/chart/axis';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataNone, PartialData } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { termFilter } from '../../shared/search/build';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { ACCESS, prefixesOf, trafficBody, trafficSeries } from './queries';

export interface OfService {
  service: string;
  kind: ServiceKind;
  deployment: string;
  range: TimeRange;
}

export function Traffic({ service, deployment, range }: OfService) {
  const { t, locale } = useI18n();
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
  const prefixes = prefixesOf(now.data);
  return (
    <DataState query={now} lines={6}>
      {() => (
        <>
          <PartialData answers={[now.data, before.data]} />
          <div className="charts" aria-busy={now.isPlaceholderData}>
            <TimeChart {...chart} title={t('services.rate')} unit="per second" series={series.requests} />
            <TimeChart {...chart} title={t('services.errorShare')} unit="percent" series={series.errors} />
            <TimeChart
              {...chart}
              title={t('services.latency')}
              note={t('services.latency.note')}
              unit="ms"
              series={series.latency}
            />
            {prefixes.length > 0 ? (
              <Card flush title={t('services.paths')}>
                <div className="rows">
                  <table className="grid" aria-label={t('services.paths')}>
                    <thead>
                      <tr>
                        <th scope="col">{t('services.path')}</th>
                        <th scope="col" className="right">
                          {t('services.rate')}
                        </th>
                        <th scope="col" className="right">
                          {t('services.failed.line')}
                        </th>
                        <th scope="col" className="right">
                          p95
                        </th>
                      </tr>
                    </thead>
                    <tbody>
                      {prefixes.map((one) => (
                        <tr key={one.prefix}>
                          <td className="mono" title={one.prefix}>
                            {one.prefix}
                          </td>
                          <td className="right tight">{valueText(one.requests, 'count', locale)}</td>
                          <td className={`right tight ${one.failed > 0 ? 'bad-text' : 'quiet'}`}>
                            {valueText(one.failed, 'count', locale)}
                          </td>
                          <td className="right tight">{valueText(one.p95Ms, 'ms', locale)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              </Card>
            ) : null}
          </div>
        </>
      )}
    </DataState>
  );
}
