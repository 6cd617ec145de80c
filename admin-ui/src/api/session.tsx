// Who is logged in, and what that person may do. The server decides; this only keeps people from
// pressing what would be refused.
import { createContext, useContext } from 'react';
import type { Session } from '../generated/wharf/v1/sessions_pb';
import { DEPLOYMENT } from './serves';

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('a screen was shown without a session');
  return session;
}

export interface Rights {
  administers: boolean;
  seesPlatform: boolean;
  /** Whether there are deployments to be seen: not at the monitoring node of one. */
  seesDeployments: boolean;
  manages: boolean;
}

/** Who has the credentials of a deployment may do there what one may do with its data, and nothing else. */
const OF_DEPLOYMENT: Rights = {
  administers: false,
  seesPlatform: false,
  seesDeployments: false,
  manages: true,
};

export function rightsOf(roles: readonly string[], deployment: string | undefined = DEPLOYMENT): Rights {
  if (deployment !== undefined) return OF_DEPLOYMENT;
  const administers = roles.includes('platform_admin');
  return {
    administers,
    seesPlatform: administers || roles.includes('platform_viewer'),
    seesDeployments: true,
    manages: administers || roles.includes('deployments_manager'),
  };
}

export function useRights(): Rights {
  return rightsOf(useSession().roles);
}
