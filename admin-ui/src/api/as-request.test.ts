import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { Alerts } from '../generated/wharf/monitor/v1/alerts_pb';
import { Search } from '../generated/wharf/monitor/v1/search_pb';
import { Watches } from '../generated/wharf/monitor/v1/watches_pb';
import { Deployments, ListDeploymentsRequestSchema } from '../generated/wharf/v1/deployments_pb';
import { Settings } from '../generated/wharf/v1/settings_pb';
import { Users } from '../generated/wharf/v1/users_pb';
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
  const [, text] = /^echo (\S+) \| base64 -d/.exec(request.curl ?? '') ?? [];
  const frame = Uint8Array.from(atob(text ?? ''), (char) => char.charCodeAt(0));
  expect(new DataView(frame.buffer).getUint32(1)).toBe(frame.length - 5);
  const message = fromBinary(ListDeploymentsRequestSchema, frame.subarray(5));
  expect(message.options).toMatchObject({ pageSize: 50, orderBy: 'name desc' });
});

test('a quote in a value does not end the shell word', () => {
  const { cli } = asRequest(Settings.method.setSetting, { key: 'a', value: "it's" }, 'd');
  expect(cli).toContain(`it'\\''s`);
});

test('a request to a monitoring node says whose, on the command line too', () => {
  const { cli, grpcurl, curl } = asRequest(Alerts.method.getAlert, { id: 'a1' }, 'd', 'web');
  expect(cli).toBe('wharf -o json alert show a1 --deployment=web');
  expect(grpcurl).toContain("-H 'x-wharf-deployment: web'");
  expect(curl).toContain("-H 'x-wharf-deployment: web'");
});

test('what the command line has no command for has no form of it', () => {
  const { cli, grpcurl } = asRequest(Search.method.search, { indices: ['logs-*'] }, 'd', 'system');
  expect(cli).toBeUndefined();
  expect(grpcurl).toContain('wharf.monitor.v1.Search/Search');
});

test('the command line gets a watch in the form that it takes', () => {
  const { cli, grpcurl } = asRequest(
    Watches.method.putWatch,
    { watch: { case: 'spec', value: { name: 'w' } } },
    'd',
    'system',
    false,
    { watch: { case: 'document', value: '{"name": "w"}' } },
  );
  expect(cli).toBe(`wharf -o json watch create -f - --replace <<'END'\n{"name": "w"}\nEND`);
  expect(grpcurl).toContain('"spec": {');
});

test('a secret is in no form: a placeholder is, read from standard input', () => {
  const made = { username: 'alice', password: 'correct horse', roles: ['platform_viewer'] };
  const shown = asRequest(Users.method.createUser, made, 'd');
  expect(shown.cli).toMatch(/^wharf -o json api wharf\.v1\.Users\/CreateUser - <<'END'\n\{/);
  expect(shown.grpcurl).toMatch(/-d @ \\\n {2}d wharf\.v1\.Users\/CreateUser <<'END'\n\{/);
  for (const text of [shown.cli, shown.grpcurl]) {
    expect(text).toContain('"password": "<password>"');
    expect(text).toContain('"username": "alice"');
  }
  expect(JSON.stringify(shown)).not.toContain('correct horse');
  expect(shown.secrets).toBe(true);
});

test('nobody is told to put a secret into a request in binary', () => {
  const shown = asRequest(Users.method.setPassword, { username: 'alice', password: 'x' }, 'd');
  expect(shown.curl).toBeUndefined();
  expect(request.curl).toBeDefined();
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
