// Ways to the page of a thing, the same from everywhere.
import ListIcon from '@patternfly/react-icons/dist/esm/icons/list-icon';
import { Link } from 'react-router';
import { useRights } from '../../api/session';
import { useT } from '../../i18n/i18n';
import { containerPath } from './paths';

export function HostLink({ host }: { host: string }) {
  const { seesPlatform } = useRights();
  if (!host) return <span className="quiet">–</span>;
  return seesPlatform ? <Link to={`/hosts/${encodeURIComponent(host)}`}>{host}</Link> : host;
}

/** Several, in a line. */
export function HostLinks({ hosts }: { hosts: readonly string[] }) {
  if (hosts.length === 0) return <span className="quiet">–</span>;
  return hosts.map((host, at) => (
    <span key={host}>
      {at > 0 ? ', ' : ''}
      <HostLink host={host} />
    </span>
  ));
}

export function ContainerLink({ host, name, title }: { host: string; name: string; title?: string }) {
  const { seesPlatform } = useRights();
  if (!name) return <span className="quiet">–</span>;
  if (!seesPlatform || !host) return <span title={title}>{name}</span>;
  return (
    <Link to={containerPath(host, name)} title={title}>
      {name}
    </Link>
  );
}

/** An icon that leads to a container's log as it is written. */
export function LogLink({ host, name }: { host: string; name: string }) {
  const t = useT();
  const { seesPlatform } = useRights();
  if (!seesPlatform || !host || !name) return null;
  const words = t('logs.of', { name });
  return (
    <Link className="icon-link" to={containerPath(host, name, 'logs')} aria-label={words} title={words}>
      <ListIcon />
    </Link>
  );
}

export function DeploymentLink({ id, name }: { id: string; name: string }) {
  const { seesDeployments } = useRights();
  if (!id) return <span className="quiet">–</span>;
  const shown = name || id.slice(0, 8);
  return seesDeployments ? <Link to={`/deployments/${id}`}>{shown}</Link> : shown;
}

export function PlanLink({ id, children }: { id: string; children?: string }) {
  if (!id) return <span className="quiet">–</span>;
  return (
    <Link to={`/plans/${id}`} className={children ? undefined : 'mono'}>
      {children ?? id.slice(0, 8)}
    </Link>
  );
}
