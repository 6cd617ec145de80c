// Memory by zone: what is given out now, and what is in use over time, beside what it was before.
import { useMemo } from 'react';
import { Link } from 'react-router';
import { useCall } from '../../api/call';
import { SYSTEM, useSearch } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Allocators, type ListZonesResponse } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataNone } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { type TimeDefaults, useTimeRange } from '../../shared/time/useTimeRange';
import { Usage } from '../../shared/Usage';
import { STREAM, zoneBody, zoneSeries } from './zone-memory';

/** A page that is looked at: it renews itself, and compares with the day before. */
const TIMES: TimeDefaults = { from: 'now-4h', to: 'now', refresh: 60, compare: 'day' };

// One without a host has nothing but a location.
export const ZONES = { options: { pageSize: 100, orderBy: 'name', filter: 'hosts!=0' } };

export function useZones() {
  return useCall(Allocators.method.listZones, ZONES, { every: 15_000 });
}

function ZoneTable({ data }: { data: ListZonesResponse }) {
  const t = useT();
  const format = useFormat();
  if (data.zones.length === 0) return <Empty title={t('hosts.empty')}>{t('hosts.empty.hint')}</Empty>;
  return (
    <section
      className="rows"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={t('zones.title')}
    >
      <table className="grid" aria-label={t('zones.title')}>
        <thead>
          <tr>
            <th scope="col">{t('zone')}</th>
            <th scope="col" className="right">
              {t('nav.hosts')}
            </th>
            <th scope="col" className="right">
              {t('instances')}
            </th>
            <th scope="col">{t('memory.given')}</th>
          </tr>
        </thead>
        <tbody>
          {data.zones.map((zone) => {
            const used = zone.used?.memoryBytes ?? 0n;
            const whole = zone.capacity?.memoryBytes ?? 0n;
            return (
              <tr key={zone.name}>
                <td className="tight">
                  <Link to={`/hosts?f.zone=${encodeURIComponent(zone.name)}`}>{zone.name}</Link>
                </td>
                <td className="right tight">{format.number(zone.hosts)}</td>
                <td className="right tight">{format.number(zone.instances)}</td>
                <td className="wide">
                  <Usage
                    used={used}
                    whole={whole}
                    of={`${t('memory.given')}: ${format.bytes(used)} / ${format.bytes(whole)}`}
                  />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function ZoneChart() {
  const t = useT();
  const range = useTimeRange(TIMES);
  const { from, to, bucketMs } = range;
  const { previous } = range;
  const indices = [STREAM];
  const body = zoneBody(range);
  const now = useSearch({ deployment: SYSTEM, indices, body }, { keep: true });
  const before = useSearch(
    { deployment: SYSTEM, indices, body: previous ? zoneBody({ ...previous, bucketMs }) : {} },
    { keep: true, enabled: previous !== undefined },
  );
  const moved = previous ? from - previous.from : 0;
  const series = useMemo(
    () => zoneSeries(now.data, moved > 0 ? before.data : undefined, moved),
    [now.data, before.data, moved],
  );
  return (
    <Card flush>
      <DataState query={now} lines={6}>
        {() => (
          <TimeChart
            bare
            title={t('zones.chart')}
            unit="bytes"
            series={series}
            range={{ from, to }}
            height={170}
            onZoom={range.zoom}
            onBack={range.back}
            actions={
              <>
                <TimeRangePicker defaults={TIMES} noRefresh />
                <ShowQuery deployment={SYSTEM} indices={indices} body={body} of={t('zones.chart')} />
              </>
            }
            empty={<DataNone deployment={SYSTEM} indices={indices} onShow={range.zoom} />}
          />
        )}
      </DataState>
    </Card>
  );
}

export function MemoryByZone({ storageAway }: { storageAway: boolean }) {
  const t = useT();
  const zones = useZones();
  return (
    <>
      <div className="third">
        <Card flush title={t('zones.title')}>
          <DataState query={zones}>{(data) => <ZoneTable data={data} />}</DataState>
        </Card>
      </div>
      <div className="two-thirds">
        {storageAway ? (
          <Card title={t('zones.chart')}>
            <Empty title={t('overview.lacks')} />
          </Card>
        ) : (
          <ZoneChart />
        )}
      </div>
    </>
  );
}
