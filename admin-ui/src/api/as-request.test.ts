import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { Deployments, ListDeploymentsRequestSchema } from '../generated/wharf/v1/deployments_pb';
import { Settings } from '../generated/wharf/v1/settings_pb';
import { asRequest } from './as-request';

const request = asRequest(
  Deployments.method.listDeployments,
  { options: { pageSize: 50, orderBy: 'name desc' } },
  'director:12443',
);

test('the command line and grpcurl get the field names of the contracts', () => {
  expect(request.cli).toContain('wharf -o json api wharf.v1.Deployments/ListDeployments');
  expect(request.cli).toContain('"page_size": 50');
  expect(request.grpcurl).toContain('-proto wharf/v1/deployments.proto');
  expect(request.grpcurl).toContain('director:12443 wharf.v1.Deployments/ListDeployments');
});

test('curl sends the very request', () => {
  const [, text] = /^echo (\S+) \| base64 -d/.exec(request.curl) ?? [];
  const frame = Uint8Array.from(atob(text ?? ''), (char) => char.charCodeAt(0));
  expect(new DataView(frame.buffer).getUint32(1)).toBe(frame.length - 5);
  const message = fromBinary(ListDeploymentsRequestSchema, frame.subarray(5));
  expect(message.options).toMatchObject({ pageSize: 50, orderBy: 'name desc' });
});

test('a quote in a value does not end the shell word', () => {
  const { cli } = asRequest(Settings.method.setSetting, { key: 'a', value: "it's" }, 'd');
  expect(cli).toContain(`it'\\''s`);
});

test('a request to a monitoring node says whose, and is none of the command line', () => {
  const { cli, grpcurl, curl } = asRequest(Settings.method.setSetting, { key: 'a' }, 'd', 'web');
  expect(cli).toBeUndefined();
  expect(grpcurl).toContain("-H 'x-wharf-deployment: web'");
  expect(curl).toContain("-H 'x-wharf-deployment: web'");
});

test('the own node of a deployment is asked with its credentials and not by its name', () => {
  const { cli, grpcurl, curl } = asRequest(
    Settings.method.setSetting,
    { key: 'a' },
    'team-monitor.localhost:9243',
    'team',
    true,
  );
  expect(cli).toBeUndefined();
  for (const text of [grpcurl, curl]) {
    expect(text).toContain('team-monitor.localhost:9243');
    expect(text).toContain('$WHARF_USER:$WHARF_PASSWORD');
    expect(text).not.toContain('x-wharf-deployment');
    expect(text).not.toContain('WHARF_TOKEN');
  }
});
