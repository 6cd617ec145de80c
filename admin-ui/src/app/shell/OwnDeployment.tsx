// Whose data pages show while their URL names none: the platform's own, or, for those who may not read
// that, the first deployment that they see.
import { type ReactNode, useState } from 'react';
import { useCall } from '../../api/call';
import { SYSTEM, UsualDeployment } from '../../api/deployment';
import { useRights } from '../../api/session';
import { Deployments } from '../../generated/wharf/v1/deployments_pb';
import { Loading } from '../../shared/DataState';
import { CHOICES, ownNames } from '../../shared/names/deployments';

export function OwnDeployment({ children }: { children: ReactNode }) {
  const { seesPlatform } = useRights();
  const list = useCall(Deployments.method.listDeployments, CHOICES, { enabled: !seesPlatform });
  // It stays while it is there: a new one that comes before it must not change what is being read.
  const [kept, setKept] = useState<string>();
  const names = ownNames(list.data?.deployments ?? [], seesPlatform);
  const first = names[0];
  if (!seesPlatform && first !== undefined && (kept === undefined || !names.includes(kept))) setKept(first);
  if (seesPlatform) return <UsualDeployment value={SYSTEM}>{children}</UsualDeployment>;
  if (list.isPending) return <Loading lines={10} />;
  return <UsualDeployment value={kept ?? SYSTEM}>{children}</UsualDeployment>;
}
