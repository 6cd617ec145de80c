// Memory that is given out, by zone: where the platform fills up, and whether one zone carries more.
import { Link } from 'react-router';
import { useCall } from '../../api/call';
import { useFormat } from '../../format/use-format';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ALL_HOSTS, MOST_HOSTS } from '../../shared/names/hosts';
import { Usage } from '../../shared/Usage';

export interface ZoneMemory {
  zone: string;
  hosts: number;
  instances: number;
  used: number;
  whole: number;
}

export function byZone(hosts: readonly Allocator[]): ZoneMemory[] {
  const zones = new Map<string, ZoneMemory>();
  for (const host of hosts) {
    const zone = zones.get(host.zone) ?? { zone: host.zone, hosts: 0, instances: 0, used: 0, whole: 0 };
    zone.hosts += 1;
    zone.instances += host.instances;
    zone.used += Number(host.used?.memoryBytes ?? 0n);
    zone.whole += Number(host.capacity?.memoryBytes ?? 0n);
    zones.set(host.zone, zone);
  }
  return [...zones.values()].sort((a, b) => a.zone.localeCompare(b.zone, 'en', { numeric: true }));
}

export function MemoryByZone() {
  const t = useT();
  const format = useFormat();
  const hosts = useCall(Allocators.method.listAllocators, ALL_HOSTS, { every: 15_000 });
  return (
    <Card flush title={t('zones.title')}>
      <DataState query={hosts}>
        {(data) => {
          const zones = byZone(data.allocators);
          if (zones.length === 0) return <Empty title={t('hosts.empty')}>{t('hosts.empty.hint')}</Empty>;
          return (
            <div className="rows">
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
                  {zones.map((zone) => (
                    <tr key={zone.zone}>
                      <td className="tight">
                        <Link to={`/hosts?f.zone=${encodeURIComponent(zone.zone)}`}>{zone.zone}</Link>
                      </td>
                      <td className="right tight">{format.number(zone.hosts)}</td>
                      <td className="right tight">{format.number(zone.instances)}</td>
                      <td className="wide">
                        <Usage
                          used={zone.used}
                          whole={zone.whole}
                          of={t('memory.given')}
                          label={`${format.bytes(zone.used)} / ${format.bytes(zone.whole)}`}
                        />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {Number(data.info?.total ?? 0n) > MOST_HOSTS ? (
                <p className="quiet note">{t('zones.partial', { shown: MOST_HOSTS })}</p>
              ) : null}
            </div>
          );
        }}
      </DataState>
    </Card>
  );
}
