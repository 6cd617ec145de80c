// Whose pages this server shows: the whole platform, when it is a director; the data of one deployment alone, when
// it is that deployment's monitoring node. The server says so in the page.

/** What stands in the page for the name while no server has filled it in. */
const UNFILLED = '__WHARF_DEPLOYMENT__';
/** What a deployment's own pages begin with. */
const OWN_PAGES = ['/discover', '/dashboards', '/services', '/alerts'];

/** The deployment that alone is shown, by what the page says; none: the platform is. */
export function servedBy(content: string | null | undefined): string | undefined {
  return content && content !== UNFILLED ? content : undefined;
}

/** The deployment that alone is shown; none: the platform is. */
export const DEPLOYMENT: string | undefined =
  typeof document === 'undefined'
    ? undefined
    : servedBy(document.querySelector('meta[name="wharf-deployment"]')?.getAttribute('content'));

/** Whether there is such a page here. */
export function hasPage(path: string, deployment: string | undefined = DEPLOYMENT): boolean {
  if (deployment === undefined) return true;
  const [page = ''] = path.split(/[?#]/);
  return page === '/' || OWN_PAGES.some((own) => page === own || page.startsWith(`${own}/`));
}

/** Where the storage beside the monitoring node is reached: what serves these pages is `ALIAS-monitor`. */
export function storageBeside(origin: string): string | undefined {
  const url = new URL(origin);
  const [first = '', ...rest] = url.hostname.split('.');
  if (rest.length === 0 || !first.endsWith('-monitor')) return undefined;
  url.hostname = [first.slice(0, -'-monitor'.length), ...rest].join('.');
  return url.origin;
}

/** `https://logs-monitor.example.org:9243`, beside `https://logs.example.org:9243`: where a team reads its own data. */
export function monitoringBeside(endpoint: string, alias: string): string | undefined {
  const head = `https://${alias}.`;
  return alias && endpoint.startsWith(head)
    ? `https://${alias}-monitor.${endpoint.slice(head.length)}`
    : undefined;
}
