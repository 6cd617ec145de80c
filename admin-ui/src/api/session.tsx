// Who is logged in, and what that person may do. The server decides; this only keeps people from
// pressing what would be refused.
import { createContext, useContext } from 'react';
import type { Session } from '../generated/wharf/v1/sessions_pb';

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('a screen was shown without a session');
  return session;
}

export interface Rights {
  administers: boolean;
  seesPlatform: boolean;
  manages: boolean;
}

export function rightsOf(roles: readonly string[]): Rights {
  const administers = roles.includes('platform_admin');
  return {
    administers,
    seesPlatform: administers || roles.includes('platform_viewer'),
    manages: administers || roles.includes('deployments_manager'),
  };
}

export function useRights(): Rights {
  return rightsOf(useSession().roles);
}
