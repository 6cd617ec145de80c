// Whose data a page shows. Apart from the way to that data: the shell needs this before any page.
import { createContext, useContext } from 'react';
import { useSearchParams } from '../shared/use-search-params';
import { DEPLOYMENT } from './serves';

/** The deployment that holds what the platform's own collectors write. */
export const SYSTEM = 'system';

/** The deployment whose data a page shows while its URL names none. */
export const UsualDeployment = createContext(SYSTEM);

/** The deployment whose data a page shows. */
export function useDeployment(): string {
  const [params] = useSearchParams();
  const usual = useContext(UsualDeployment);
  return DEPLOYMENT ?? (params.get('in') || usual);
}
