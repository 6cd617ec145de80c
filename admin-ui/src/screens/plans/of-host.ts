// Which host's plans and vacates are listed, in the URL. Pure.
import { writeState } from '../../shared/list/list-state';

/** The lists begin at their first page with another host. */
export function ofHost(params: URLSearchParams, host: string): URLSearchParams {
  const next = writeState(params, '', {});
  if (host) next.set('host', host);
  else next.delete('host');
  return next;
}

/** The other list: of what the one shows only the host is kept. */
export function listed(params: URLSearchParams, tab: string): URLSearchParams {
  const next = new URLSearchParams(tab ? { tab } : {});
  const host = params.get('host');
  if (host) next.set('host', host);
  return next;
}
