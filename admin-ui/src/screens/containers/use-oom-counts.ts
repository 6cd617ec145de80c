// How often containers ran out of memory in the last day. Unknown while the storage is away: the list
// itself is the directors'.
import { SYSTEM, useSearch } from '../../api/monitor';
import { useNow } from '../../shared/When';
import { EVENTS, oomBody, oomCounts } from './queries';

const MINUTE = 60_000;
const DAY = 86_400_000;

export function useOomCounts(): ((host: string, name: string) => number) | undefined {
  const now = Math.floor(useNow(MINUTE) / MINUTE) * MINUTE;
  const span = { from: now - DAY, to: now + MINUTE };
  const answer = useSearch({ deployment: SYSTEM, indices: [EVENTS], body: oomBody(span) }, { keep: true });
  if (!answer.data) return undefined;
  const counts = oomCounts(answer.data);
  return (host, name) => counts.get(`${host} ${name}`) ?? 0;
}
