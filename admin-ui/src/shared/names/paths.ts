// Paths of pages, the same from everywhere. Pure.

export type ContainerTab = 'overview' | 'logs' | 'changes';

/** A container is known by its host and its name there: it keeps them when it is made anew. */
export function containerPath(host: string, name: string, tab: ContainerTab = 'overview'): string {
  const path = `/containers/${encodeURIComponent(host)}/${encodeURIComponent(name)}`;
  return tab === 'overview' ? path : `${path}?tab=${tab}`;
}
