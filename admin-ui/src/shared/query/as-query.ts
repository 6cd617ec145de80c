// A search as text that can be sent elsewhere. Pure.
import type { JsonObject } from '../../api/monitor';

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function pathOf(indices: readonly string[]): string {
  return `/${indices.join(',')}/_search`;
}

/** Method, path and body. */
export function asConsole(indices: readonly string[], body: JsonObject): string {
  return `POST ${pathOf(indices)}\n${JSON.stringify(body, null, 2)}`;
}

/** Through the proxy; without an address one has to put it in. */
export function asCurl(indices: readonly string[], body: JsonObject, endpoint = 'https://ADDRESS'): string {
  return [
    'curl --cacert ca.pem -u "$WHARF_USER:$WHARF_PASSWORD" \\',
    "  -H 'content-type: application/json' \\",
    `  ${quoted(`${endpoint.replace(/\/$/, '')}${pathOf(indices)}`)} \\`,
    `  --data-binary ${quoted(JSON.stringify(body))}`,
  ].join('\n');
}
