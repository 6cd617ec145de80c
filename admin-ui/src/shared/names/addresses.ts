// The domain under which deployments have their names. Pure.

/** Of `https://*.example.org:9243`; a dash when it is none. */
export function domainOf(clients: string): string {
  return /^https:\/\/\*\.([^:/]+)/.exec(clients)?.[1] ?? '–';
}

/** `https://logs-monitor.example.org:9243`, beside `https://logs.example.org:9243`: where a team reads its own data. */
export function monitoringBeside(endpoint: string, alias: string): string | undefined {
  const head = `https://${alias}.`;
  return alias && endpoint.startsWith(head)
    ? `https://${alias}-monitor.${endpoint.slice(head.length)}`
    : undefined;
}
