// The map as a table: the same containers in the same order.
import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import { useT } from '../../i18n/i18n';
import { type Column, Rows } from '../../shared/list/Rows';
import { DeploymentLink, HostLink } from '../../shared/names/links';
import { containerPath } from '../../shared/names/paths';
import { useValueText } from './about';
import type { MapContainer } from './model';

export function PlacementTable({ containers }: { containers: readonly MapContainer[] }) {
  const t = useT();
  const format = useFormat();
  const valueText = useValueText();
  const columns: Column<MapContainer>[] = [
    { id: 'zone', head: t('zone'), tight: true, cell: (one) => one.zone },
    { id: 'host', head: t('host'), cell: (one) => <HostLink host={one.host} /> },
    {
      id: 'name',
      head: t('container'),
      cell: (one) => <Link to={containerPath(one.host, one.name)}>{one.name}</Link>,
    },
    {
      id: 'deployment',
      head: t('deployment'),
      cell: (one) =>
        one.own ? (
          <DeploymentLink id={one.deploymentId} name={one.deployment} />
        ) : (
          <span className="quiet">{t('placement.other')}</span>
        ),
    },
    { id: 'memory', head: t('memory'), right: true, cell: (one) => format.bytes(one.memory) },
    {
      id: 'limit',
      head: t('placement.colour.memory'),
      right: true,
      cell: (one) => valueText('memory', one.values.memory),
    },
    { id: 'cpu', head: t('cpu'), right: true, cell: (one) => valueText('cpu', one.values.cpu) },
    {
      id: 'restarts',
      head: t('placement.restarts'),
      right: true,
      cell: (one) => valueText('restarts', one.values.restarts),
    },
  ];
  return <Rows label={t('placement.table')} columns={columns} rows={containers} rowKey={(one) => one.key} />;
}
