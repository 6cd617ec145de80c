// Where programs reach the storage of a deployment.
import { Deployments } from '../generated/wharf/v1/deployments_pb';
import { useCall } from './call';
import { DEPLOYMENT, storageBeside } from './serves';

/** None while it is not known. */
export function useStorageUrl(deployment: string): string | undefined {
  const enabled = DEPLOYMENT === undefined;
  const where = useCall(Deployments.method.getDeployment, { deployment }, { enabled });
  if (!enabled) return storageBeside(window.location.origin);
  return where.data?.endpoint || undefined;
}
