// Every zone with what it is the sum of, and where it is, which an admin says here.
import { useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'react-router';
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Allocators, type Zone } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { type Column, Rows } from '../../shared/list/Rows';
import { Usage } from '../../shared/Usage';
import { locationText } from '../../shared/zones/degrees';
import { ZoneLocationDialog } from '../../shared/zones/ZoneLocationDialog';

const MOST_ZONES = 200;
const ANCHOR = 'zones';

export function Zones() {
  const t = useT();
  const format = useFormat();
  const { administers } = useRights();
  const { hash } = useLocation();
  const box = useRef<HTMLDivElement>(null);
  const [locating, setLocating] = useState<Zone>();
  const zones = useCall(
    Allocators.method.listZones,
    { options: { pageSize: MOST_ZONES, orderBy: 'name' } },
    { every: 15_000 },
  );
  const there = zones.data !== undefined;
  // A link to here leads to the card once it has its rows.
  useEffect(() => {
    if (there && hash === `#${ANCHOR}`) box.current?.scrollIntoView({ block: 'start' });
  }, [there, hash]);

  const columns: Column<Zone>[] = [
    {
      id: 'zone',
      head: t('zone'),
      cell: (one) => <Link to={`/hosts?f.zone=${encodeURIComponent(one.name)}`}>{one.name}</Link>,
    },
    {
      id: 'location',
      head: t('zones.location'),
      cell: (one) => locationText(one.location) ?? <span className="quiet">{t('zones.location.none')}</span>,
    },
    { id: 'hosts', head: t('nav.hosts'), right: true, cell: (one) => format.number(one.hosts) },
    { id: 'instances', head: t('instances'), right: true, cell: (one) => format.number(one.instances) },
    {
      id: 'containers',
      head: t('nav.containers'),
      right: true,
      cell: (one) => format.number(one.containers),
    },
    {
      id: 'memory',
      head: t('memory.inUse'),
      cell: (one) => <Usage used={one.memoryUsedBytes} whole={one.memoryBytes} of={t('memory.inUse')} />,
    },
    {
      id: 'locate',
      head: '',
      right: true,
      tight: true,
      cell: (one) => (
        <ActionButton
          variant="link"
          size="sm"
          className="zone-locate"
          isInline
          aria-label={t('zones.locate.of', { zone: one.name })}
          whyNot={administers ? undefined : t('zones.why.admin')}
          onClick={() => setLocating(one)}
        >
          {t('zones.locate.do')}
        </ActionButton>
      ),
    },
  ];
  return (
    <div id={ANCHOR} ref={box}>
      <Card flush title={t('zones.all')}>
        <DataState query={zones} lines={3}>
          {(data) =>
            data.zones.length === 0 ? (
              <Empty title={t('hosts.empty')}>{t('hosts.empty.hint')}</Empty>
            ) : (
              <Rows label={t('zones.all')} columns={columns} rows={data.zones} rowKey={(one) => one.name} />
            )
          }
        </DataState>
      </Card>
      {locating ? <ZoneLocationDialog zone={locating} onClose={() => setLocating(undefined)} /> : null}
    </div>
  );
}
