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
import { DataNone, PartialData } from '../../shared/DataNone';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { Mark } from '../../shared/status/Mark';
import { isRelative } from '../../shared/time/range';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { type TimeDefaults, useTimeRange } from '../../shared/time/useTimeRange';
import { Usage } from '../../shared/Usage';
import { MOST_ZONES, STREAM, type Untold, untold, zoneBody, zoneSeries } from './zone-memory';

/** A page that is looked at: it renews itself, and compares with the day before. */
const TIMES: TimeDefaults = { from: 'now-4h', to: 'now', refresh: 60, compare: 'day' };

/** A span that was renewed so lately ends now. */
const ENDS_NOW_MS = 2 * 60_000;

// One without a host has nothing but a location.
export const ZONES = { options: { pageSize: 100, orderBy: 'name', filter: 'hosts!=0' } };

export function useZones() {
  return useCall(Allocators.method.listZones, ZONES, { every: 15_000 });
}

function ZoneTable({ data }: { data: ListZonesResponse }) {
  const t = useT();
  const format = useFormat();
  if (data.zones.length === 0) return <Empty title={t('hosts.empty')}>{t('hosts.empty.hint')}</Empty>;
  const hosts = data.zones.reduce((sum, one) => sum + one.hosts, 0);
  const silent = data.zones.reduce((sum, one) => sum + one.hosts - one.connected, 0);
  const total = Number(data.info?.total ?? 0n);
  return (
    <>
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
                  <td className="right tight">
                    {zone.connected < zone.hosts ? (
                      <Mark
                        tone="bad"
                        word={t('zones.hosts.silent', {
                          hosts: format.number(zone.hosts),
                          silent: format.number(zone.hosts - zone.connected),
                        })}
                      />
                    ) : (
                      format.number(zone.hosts)
                    )}
                  </td>
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
      {silent > 0 ? (
        <p className="quiet note">
          {t('zones.silent', { silent: format.number(silent), hosts: format.number(hosts) })}
        </p>
      ) : null}
      {total > data.zones.length ? (
        <p className="quiet note">
          {t('zones.cut', { shown: format.number(data.zones.length), total: format.number(total) })}
        </p>
      ) : null}
    </>
  );
}

/** More are told by their number. */
const MOST_NAMED = 5;

function Missing({ untold: { missing, of, zones } }: { untold: Untold }) {
  const t = useT();
  const format = useFormat();
  if (missing === 0) return null;
  const more = zones.length - MOST_NAMED;
  return (
    <p className="note line" data-testid="untold">
      <Mark
        tone="warn"
        word={t('zones.untold', { missing: format.number(missing), of: format.number(of) })}
      />
      {zones.slice(0, MOST_NAMED).map((one) => (
        <Link key={one.zone} to={`/hosts?f.zone=${encodeURIComponent(one.zone)}`}>
          {t('zones.untold.of', { zone: one.zone, missing: format.number(one.missing) })}
        </Link>
      ))}
      {more > 0 ? (
        <span className="quiet">{t('zones.untold.more', { count: format.number(more) })}</span>
      ) : null}
    </p>
  );
}

function ZoneChart({ zones }: { zones: ListZonesResponse | undefined }) {
  const t = useT();
  const format = useFormat();
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
  const endsNow = isRelative(range.raw.to) && range.to >= Date.now() - ENDS_NOW_MS;
  const isKnown = zones !== undefined || !endsNow;
  const total = Number(zones?.info?.total ?? 0n);
  const moved = previous ? from - previous.from : 0;
  const series = useMemo(
    () => zoneSeries(now.data, moved > 0 ? before.data : undefined, moved),
    [now.data, before.data, moved],
  );
  return (
    <Card flush>
      <DataState query={now} lines={6}>
        {(answer) => (
          <>
            <PartialData answers={[answer, moved > 0 ? before.data : undefined]} />
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
            {series.length > 0 && isKnown ? (
              <Missing untold={untold(answer, endsNow ? zones?.zones : undefined)} />
            ) : null}
            {series.length === MOST_ZONES && endsNow && total > MOST_ZONES ? (
              <p className="quiet note">
                {t('zones.cut', { shown: format.number(MOST_ZONES), total: format.number(total) })}
              </p>
            ) : null}
          </>
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
          <ZoneChart zones={zones.data} />
        )}
      </div>
    </>
  );
}
