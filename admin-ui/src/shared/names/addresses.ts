// The domain under which deployments have their names. Pure.

/** Of `https://*.example.org:9243`; a dash when it is none. */
export function domainOf(clients: string): string {
  return /^https:\/\/\*\.([^:/]+)/.exec(clients)?.[1] ?? '–';
}
