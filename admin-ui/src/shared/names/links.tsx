// Ways to the page of a thing, the same from everywhere.
import { Link } from 'react-router';
import { useRights } from '../../api/session';

export function HostLink({ host }: { host: string }) {
  const { seesPlatform } = useRights();
  if (!host) return <span className="quiet">–</span>;
  return seesPlatform ? <Link to={`/hosts/${encodeURIComponent(host)}`}>{host}</Link> : host;
}

export function DeploymentLink({ id, name }: { id: string; name: string }) {
  if (!id) return <span className="quiet">–</span>;
  return <Link to={`/deployments/${id}`}>{name || id.slice(0, 8)}</Link>;
}

export function PlanLink({ id, children }: { id: string; children?: string }) {
  if (!id) return <span className="quiet">–</span>;
  return (
    <Link to={`/plans/${id}`} className={children ? undefined : 'mono'}>
      {children ?? id.slice(0, 8)}
    </Link>
  );
}
