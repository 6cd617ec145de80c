import type { Deployment } from '../../generated/wharf/v1/deployments_pb';
import { useT } from '../../i18n/i18n';
import { Mark } from '../../shared/status/Mark';
import { HealthMark } from '../../shared/status/marks';

export function DeploymentMark({ deployment }: { deployment: Deployment }) {
  const t = useT();
  if (deployment.deleting) return <Mark tone="busy" word={t('deployment.deleting')} />;
  if (deployment.terminated) return <Mark tone="off" word={t('deployment.terminated')} />;
  return <HealthMark health={deployment.health} />;
}
