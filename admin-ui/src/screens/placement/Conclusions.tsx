// Where load is concentrated, in words.
import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import type { Allocator, Zone } from '../../generated/wharf/v1/allocators_pb';
import type { PlacedInstance } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { DeploymentLink } from '../../shared/names/links';
import { RESOURCES, useNameWord } from '../../shared/names/stable-names';
import { Mark } from '../../shared/status/Mark';
import { piles } from '../overview/conclusions';
import { concentrations } from './model';

interface ConclusionsProps {
  zones: readonly Zone[];
  hosts: readonly Allocator[];
  instances: readonly PlacedInstance[];
}

/** More are told by their number. */
const MOST = 8;

export function Conclusions({ zones, hosts, instances }: ConclusionsProps) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const piled = piles(zones, hosts);
  const all = zones.reduce((sum, one) => sum + one.hosts, 0);
  const concentrated = concentrations(instances, all, zones.length);
  const items = [
    ...piled.map((one) => (
      <li key={`${one.what} ${one.name}`}>
        <Mark tone="warn" word={t('placement.piled')} />
        <span>
          {t(one.what === 'host' ? 'placement.piled.host' : 'placement.piled.zone', {
            name: one.name,
            containers: format.number(one.containers),
            total: format.number(one.total),
            others: format.number(one.others, 1),
          })}
        </span>
        {one.what === 'host' ? (
          <Link to={`/hosts/${encodeURIComponent(one.name)}`}>{t('placement.host.show')}</Link>
        ) : (
          <Link to={`/hosts?f.zone=${encodeURIComponent(one.name)}`}>{t('nav.hosts')}</Link>
        )}
      </li>
    )),
    ...concentrated.map((one) => (
      <li key={`${one.deploymentId} ${one.kind}`}>
        <Mark tone="warn" word={t('placement.together')} />
        <span>
          {t(one.what === 'host' ? 'placement.together.host' : 'placement.together.zone', {
            count: format.number(one.instances),
            kind: word(RESOURCES, one.kind),
            deployment: one.deployment,
            name: one.name,
          })}
        </span>
        <DeploymentLink id={one.deploymentId} name={one.deployment} />
      </li>
    )),
  ];
  if (items.length === 0) {
    return (
      <ul className="findings">
        <li>
          <Mark tone="good" word={t('placement.even')} />
          <span className="quiet">{t('placement.even.about')}</span>
        </li>
      </ul>
    );
  }
  return (
    <ul className="findings" aria-label={t('placement.conclusions')}>
      {items.slice(0, MOST)}
      {items.length > MOST ? (
        <li className="quiet">{t('placement.conclusions.more', { count: items.length - MOST })}</li>
      ) : null}
    </ul>
  );
}
