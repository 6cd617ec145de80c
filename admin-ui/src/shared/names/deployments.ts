// Deployments whose data can be chosen. Pure.
import type { Deployment } from '../../generated/wharf/v1/deployments_pb';

/** How they are asked for. More are found by their pages. */
export const CHOICES = { options: { pageSize: 200, orderBy: 'name' } };

/** Their names; the platform's own is for those alone who see the platform. */
export function ownNames(
  deployments: readonly Pick<Deployment, 'name' | 'systemOwned'>[],
  seesPlatform: boolean,
): string[] {
  return deployments.filter((one) => seesPlatform || !one.systemOwned).map((one) => one.name);
}
