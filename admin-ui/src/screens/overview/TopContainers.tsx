// Who uses the most now, with the application and the deployment that it belongs to.
import { Link } from 'react-router';
import { useCall } from '../../api/call';
import { useFormat } from '../../format/use-format';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { ContainerLink, DeploymentLink, HostLink, LogLink } from '../../shared/names/links';

export function TopContainers({ by }: { by: 'memory' | 'cpu' }) {
  const t = useT();
  const format = useFormat();
  const input = { options: { pageSize: 6, orderBy: `${by} desc`, filter: 'state=running' } };
  const query = useCall(Containers.method.listContainers, input, { every: 5_000 });
  const title = by === 'memory' ? t('top.memory') : t('top.cpu');
  return (
    <Card flush title={title} actions={<Link to={`/containers?sort=${by}+desc`}>{t('top.all')}</Link>}>
      <DataState query={query} lines={6}>
        {(data) =>
          data.containers.length === 0 ? (
            <Empty title={t('containers.empty')}>{t('containers.empty.hint')}</Empty>
          ) : (
            <div className="rows">
              <table className="grid" aria-label={title}>
                <thead>
                  <tr>
                    <th scope="col">{t('container')}</th>
                    <th scope="col">{t('application')}</th>
                    <th scope="col">{t('deployment')}</th>
                    <th scope="col">{t('host')}</th>
                    <th scope="col" className="right">
                      {by === 'memory' ? t('memory') : t('cpu')}
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.containers.map((one) => (
                    <tr key={`${one.allocatorId} ${one.id}`}>
                      <td>
                        <LogLink host={one.host} name={one.name} />{' '}
                        <ContainerLink host={one.host} name={one.name} title={`${one.name}\n${one.image}`} />
                      </td>
                      <td>{one.application}</td>
                      <td>
                        <DeploymentLink id={one.deploymentId} name={one.deploymentName} />
                      </td>
                      <td>
                        <HostLink host={one.host} />
                      </td>
                      <td className="right tight">
                        <strong>
                          {by === 'memory'
                            ? format.bytes(one.sample?.memoryBytes ?? 0n)
                            : `${format.number(one.sample?.cpuPercent ?? 0, 1)} %`}
                        </strong>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </DataState>
    </Card>
  );
}
