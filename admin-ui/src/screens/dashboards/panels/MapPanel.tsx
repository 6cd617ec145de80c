// Zones on a map: a circle for the hosts of each, as large as there are many of them or as much memory they
// have, in the colour of the panel's value; the same as a table; and which zones nobody has said the place of.
import { Button, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { lazy, type ReactNode, Suspense, useId, useMemo, useState } from 'react';
import { Link } from 'react-router';
import { useCall } from '../../../api/call';
import { useRights } from '../../../api/session';
import { useFormat } from '../../../format/use-format';
import { Allocators, type Zone } from '../../../generated/wharf/v1/allocators_pb';
import { useI18n } from '../../../i18n/i18n';
import { tintOf } from '../../../shared/chart/tints';
import { useLook } from '../../../shared/chart/use-look';
import { DataState, Loading } from '../../../shared/DataState';
import { type Column, Rows } from '../../../shared/list/Rows';
import { locationText } from '../../../shared/zones/degrees';
import { ZoneLocationDialog } from '../../../shared/zones/ZoneLocationDialog';
import { labelOf } from '../frame';
import { useLevelMark } from './FigurePanel';
import './map-panel.css';
import type { RendererProps } from './renderer';
import { TablePanel } from './TablePanel';
import { wordsOf } from './value';
import { type MapZone, radiusOf, STEPS, scaleEnd, stepOf, type ZoneMap, zoneMapOf } from './zone-map';

const WorldMap = lazy(() => import('../../../shared/map/WorldMap'));

const MOST_ZONES = 200;
/** Under a circle: its name and its value. */
const NAME = 14;
/** More names than these cover each other. */
const MOST_NAMES = 16;
const MOST_TOLD = 4;

interface Shown extends Pick<RendererProps, 'panel' | 'title'> {
  map: ZoneMap;
}

function useZoneWords({ panel }: Pick<RendererProps, 'panel'>) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const [first] = panel.metrics ?? [];
  const unit = first?.unit ?? panel.unit ?? 'count';
  return {
    unit,
    value: (one: MapZone) => wordsOf(one.values[0] ?? null, unit, locale),
    number: (value: number) => wordsOf(value, unit, locale),
    name: first ? labelOf(first) : '',
    hosts: (count: number) => t('dashboards.map.hosts', { count: format.number(count) }),
    size: (size: number) =>
      panel.sized === 'memory'
        ? format.bytes(size)
        : t('dashboards.map.hosts', { count: format.number(size) }),
  };
}

function Circle({
  one,
  radius,
  end,
  panel,
  named,
}: { one: MapZone; radius: number; end: number; named: boolean } & Pick<Shown, 'panel'>) {
  const { t } = useI18n();
  const format = useFormat();
  const look = useLook();
  const words = useZoneWords({ panel });
  const { zone, level } = one;
  const tint = tintOf(stepOf(one.values[0] ?? null, end), look);
  const label = [
    one.place ? `${zone.name} (${one.place})` : zone.name,
    words.hosts(zone.hosts),
    ...(zone.connected < zone.hosts
      ? [t('dashboards.map.silent', { count: format.number(zone.hosts - zone.connected) })]
      : []),
    ...(panel.sized === 'memory' ? [format.bytes(zone.memoryBytes)] : []),
    `${words.name}: ${words.value(one)}`,
  ].join(' · ');
  return (
    <>
      <Link
        className={`zone-circle ${level ?? ''}`}
        to={`/hosts?f.zone=${encodeURIComponent(zone.name)}`}
        aria-label={label}
        title={label}
        style={{
          width: 2 * radius,
          height: 2 * radius,
          ...(level ? {} : { background: tint.fill, color: tint.text }),
        }}
      >
        {format.number(zone.hosts)}
      </Link>
      {named ? (
        <span className="zone-name" style={{ top: radius + 1 }} aria-hidden="true">
          <strong>{zone.name}</strong> {words.value(one)}
        </span>
      ) : null}
    </>
  );
}

function Legend({
  map,
  end,
  most,
  panel,
}: { map: ZoneMap; end: number; most: number } & Pick<Shown, 'panel'>) {
  const { t } = useI18n();
  const look = useLook();
  const words = useZoneWords({ panel });
  const levels = panel.limits && (panel.limits.warn !== undefined || panel.limits.bad !== undefined);
  // A `bad` below `warn` is of what should be much.
  const sign = (panel.limits?.bad ?? Infinity) < (panel.limits?.warn ?? -Infinity) ? '≤' : '≥';
  const unknown = map.zones.some((one) => (one.values[0] ?? null) === null);
  const steps = Array.from({ length: STEPS }, (_, step) => ({
    key: step,
    fill: tintOf(step, look).fill,
    word: `${words.number((end / STEPS) * step)} – ${words.number((end / STEPS) * (step + 1))}`,
  }));
  const level = (name: 'good' | 'warn' | 'bad', word: string) => (
    <li key={name}>
      <span className={`zone-swatch ${name}`} aria-hidden="true" />
      {word}
    </li>
  );
  return (
    <ul className="zone-legend" aria-label={t('dashboards.map.legend')}>
      <li className="quiet">
        {t('dashboards.map.sized', {
          what: panel.sized === 'memory' ? t('dashboards.sized.memory') : t('dashboards.sized.hosts'),
          most: words.size(most),
        })}
      </li>
      <li className="quiet">{words.name}:</li>
      {levels ? (
        <>
          {level('good', t('dashboards.map.good'))}
          {panel.limits?.warn === undefined
            ? null
            : level('warn', `${t('dashboards.level.warn')} (${sign} ${words.number(panel.limits.warn)})`)}
          {panel.limits?.bad === undefined
            ? null
            : level('bad', `${t('dashboards.level.bad')} (${sign} ${words.number(panel.limits.bad)})`)}
        </>
      ) : (
        steps.map(({ key, fill, word }) => (
          <li key={key}>
            <span className="zone-swatch" style={{ background: fill }} aria-hidden="true" />
            {word}
          </li>
        ))
      )}
      {unknown ? (
        <li>
          <span className="zone-swatch" style={{ background: tintOf(-1, look).fill }} aria-hidden="true" />
          {t('dashboards.map.unknown')}
        </li>
      ) : null}
    </ul>
  );
}

function ZoneTable({ map, panel, title }: Shown) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const mark = useLevelMark();
  const unit = panel.unit ?? 'count';
  const columns: Column<MapZone>[] = [
    {
      id: 'zone',
      head: t('zone'),
      cell: ({ zone }) => <Link to={`/hosts?f.zone=${encodeURIComponent(zone.name)}`}>{zone.name}</Link>,
    },
    {
      id: 'location',
      head: t('zones.location'),
      cell: ({ zone }) =>
        locationText(zone.location) ?? <span className="quiet">{t('zones.location.none')}</span>,
    },
    { id: 'hosts', head: t('nav.hosts'), right: true, cell: ({ zone }) => format.number(zone.hosts) },
    {
      id: 'memory',
      head: t('dashboards.sized.memory'),
      right: true,
      cell: ({ zone }) => format.bytes(zone.memoryBytes),
    },
    ...(panel.metrics ?? []).map(
      (metric, at): Column<MapZone> => ({
        id: `m${at}`,
        head: labelOf(metric),
        right: true,
        cell: (one) => (
          <>
            {wordsOf(one.values[at] ?? null, metric.unit ?? unit, locale)} {at === 0 ? mark(one.level) : null}
          </>
        ),
      }),
    ),
  ];
  return (
    <Rows
      label={t('dashboards.table', { title })}
      columns={columns}
      rows={map.zones}
      rowKey={({ zone }) => zone.name}
    />
  );
}

/** Which zones are not on the map, and what gives them a place. */
function Unplaced({ map, onLocate }: { map: ZoneMap; onLocate: (zone: Zone) => void }) {
  const { t } = useI18n();
  const { administers } = useRights();
  const unplaced = map.zones.filter((one) => !one.spot);
  if (unplaced.length === 0 && map.strangers.length === 0) return null;
  const told = unplaced.slice(0, MOST_TOLD);
  return (
    <div className="zone-unplaced">
      {unplaced.length > 0 ? (
        <p>
          {t('dashboards.map.unplaced')}{' '}
          {told.map(({ zone }, at) => (
            <span key={zone.name}>
              {at > 0 ? ', ' : ''}
              {administers ? (
                <Button
                  variant="link"
                  isInline
                  aria-label={t('zones.locate.of', { zone: zone.name })}
                  onClick={() => onLocate(zone)}
                >
                  {zone.name}
                </Button>
              ) : (
                zone.name
              )}
            </span>
          ))}
          {unplaced.length > told.length
            ? ` ${t('dashboards.map.unplaced.more', { count: unplaced.length - told.length })}`
            : ''}
          .{' '}
          <span className="quiet">
            {administers ? t('dashboards.map.give') : t('dashboards.map.give.admin')}{' '}
            <Link to="/placement#zones">{t('zones.all')}</Link>
            {' · '}
            <code>wharf zone set-location</code>
          </span>
        </p>
      ) : null}
      {map.strangers.length > 0 ? (
        <p className="quiet">{t('dashboards.map.strangers', { names: map.strangers.join(', ') })}</p>
      ) : null}
    </div>
  );
}

function Placed({ map, panel, title }: Shown) {
  const { t } = useI18n();
  const id = useId();
  const [near, setNear] = useState(false);
  const placed = useMemo(() => map.zones.filter((one) => one.spot), [map]);
  const most = Math.max(0, ...map.zones.map((one) => one.size));
  const unit = panel.metrics?.[0]?.unit ?? panel.unit ?? 'count';
  const end = scaleEnd(
    map.zones.map((one) => one.values[0] ?? null),
    unit,
  );
  const named = placed.length <= MOST_NAMES;
  const marks = useMemo(
    () =>
      placed.flatMap((one) =>
        one.spot
          ? [{ id: one.zone.name, ...one.spot, radius: radiusOf(one.size, most) + (named ? NAME : 1) }]
          : [],
      ),
    [placed, most, named],
  );
  const byName = useMemo(() => new Map(placed.map((one) => [one.zone.name, one])), [placed]);
  const draw = (name: string): ReactNode => {
    const one = byName.get(name);
    if (!one) return null;
    return <Circle one={one} radius={radiusOf(one.size, most)} end={end} panel={panel} named={named} />;
  };
  return (
    <>
      <div className="zone-world">
        <Suspense fallback={<Loading lines={4} />}>
          <WorldMap label={title} marks={marks} near={near} draw={draw} />
        </Suspense>
        {placed.length > 0 ? (
          <div className="zone-view">
            <ToggleGroup isCompact aria-label={t('dashboards.map.view')}>
              <ToggleGroupItem
                text={t('zones.whole')}
                buttonId={`${id}whole`}
                isSelected={!near}
                onChange={() => setNear(false)}
              />
              <ToggleGroupItem
                text={t('zones.near')}
                buttonId={`${id}near`}
                isSelected={near}
                onChange={() => setNear(true)}
              />
            </ToggleGroup>
          </div>
        ) : null}
      </div>
      <Legend map={map} end={end} most={most} panel={panel} />
    </>
  );
}

export function MapPanel(props: RendererProps & { asTable: boolean }) {
  const { panel, title, frame, asTable } = props;
  const { t } = useI18n();
  const { seesPlatform } = useRights();
  const [locating, setLocating] = useState<Zone>();
  const zones = useCall(
    Allocators.method.listZones,
    { options: { pageSize: MOST_ZONES, orderBy: 'name' } },
    { every: 15_000, enabled: seesPlatform },
  );
  const { data } = zones;
  const { sized = 'hosts', limits } = panel;
  const total = Number(data?.info?.total ?? 0);
  const map = useMemo(() => {
    const rows = frame?.over === 'rows' ? frame.rows : [];
    const found = zoneMapOf(data?.zones ?? [], rows, sized, limits);
    // Where zones are left out, an unknown name may be one of them.
    return total > MOST_ZONES ? { ...found, strangers: [] } : found;
  }, [data, frame, sized, limits, total]);
  if (!seesPlatform) {
    return (
      <>
        <p className="quiet more">{t('dashboards.map.unseen')}</p>
        <TablePanel {...props} />
      </>
    );
  }
  return (
    <DataState query={zones}>
      {() => (
        <div className="zone-map">
          {asTable ? (
            <ZoneTable map={map} panel={panel} title={title} />
          ) : (
            <Placed map={map} panel={panel} title={title} />
          )}
          <Unplaced map={map} onLocate={setLocating} />
          {total > MOST_ZONES ? <p className="quiet more">{t('dashboards.more')}</p> : null}
          {locating ? <ZoneLocationDialog zone={locating} onClose={() => setLocating(undefined)} /> : null}
        </div>
      )}
    </DataState>
  );
}
