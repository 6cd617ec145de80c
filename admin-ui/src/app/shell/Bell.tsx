// How many alerts fire, and the way to them. While the monitoring node cannot be asked, nothing is known
// and nothing is shown.
import BellIcon from '@patternfly/react-icons/dist/esm/icons/bell-icon';
import { Link } from 'react-router';
import { SYSTEM, useMonitorCall } from '../../api/monitor';
import { DEPLOYMENT } from '../../api/serves';
import { Alerts } from '../../generated/wharf/monitor/v1/alerts_pb';
import { useT } from '../../i18n/i18n';

const EVERY_MS = 30_000;

export default function Bell() {
  const t = useT();
  const firing = useMonitorCall(
    Alerts.method.listAlerts,
    { options: { pageSize: 1, filter: 'state=firing' } },
    { deployment: DEPLOYMENT ?? SYSTEM, every: EVERY_MS },
  );
  if (!firing.data || firing.error) return null;
  const count = Number(firing.data.info?.total ?? 0n);
  const word = t('alerts.firing', { count });
  return (
    <Link className={count > 0 ? 'bell ringing' : 'bell'} to="/alerts" aria-label={word} title={word}>
      <BellIcon />
      {count > 0 ? <span className="bell-count">{count}</span> : null}
    </Link>
  );
}
