// Hosts found by what is written of their names, a few at a time, however many there are. Pure.

/** Hosts that are offered at once; what is not among them is found by writing more. */
export const OFFERED = 20;

export function hostsLike(written: string, without: string) {
  const terms = without ? [`id!="${without}"`] : [];
  const text = written.trim().replaceAll('"', '');
  if (text) terms.push(`host~"${text}"`);
  return { options: { pageSize: OFFERED, orderBy: 'host', filter: terms.join(' and ') } };
}

/** Where a key leads in a list of so many; undefined: the key is none of the list's. */
export function stepped(key: string, at: number, count: number): number | undefined {
  if (key === 'ArrowDown') return Math.min(at + 1, Math.max(0, count - 1));
  if (key === 'ArrowUp') return Math.max(at - 1, 0);
  return undefined;
}
