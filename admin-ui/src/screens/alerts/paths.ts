// Addresses of this screen. Pure.

function search(params: Record<string, string>, deployment: string): string {
  const query = new URLSearchParams({ ...params, ...(deployment === 'system' ? {} : { in: deployment }) });
  return query.size > 0 ? `?${query}` : '';
}

export function alertsPath(deployment: string, params: Record<string, string> = {}): string {
  return `/alerts${search(params, deployment)}`;
}

export function watchPath(name: string, deployment: string): string {
  return `/alerts/watches/${encodeURIComponent(name)}${search({}, deployment)}`;
}

export function newWatchPath(deployment: string): string {
  return `/alerts/create-watch${search({}, deployment)}`;
}
