// Where what the platform wrote about a call is: in the logs of its own deployment. Pure.
import type { Rights } from '../api/session';
import { discoverLink, fieldIs } from './search/discover-link';

/** Lines of containers: the directors' say which call they are about. */
const LINES = ['logs-docker.container-default'];

/** The way there; nothing: who is logged in does not see the logs of the platform, or nobody is. */
export function callLogs(id: string, rights: Rights | null): string | undefined {
  if (!rights?.seesPlatform) return undefined;
  return discoverLink({ indices: LINES, q: fieldIs('message', id), from: 'now-1h' });
}
