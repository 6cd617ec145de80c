import { expect, test } from 'vitest';
import { rightsOf } from '../api/session';
import { callLogs } from './call-logs';

const of = (role: string) => rightsOf([role], undefined);

test('who sees the platform finds a call in its own logs', () => {
  const link = callLogs('1a2b', of('platform_viewer'));
  expect(link).toMatch(/^\/discover\?/);
  const params = new URLSearchParams(link?.split('?')[1]);
  expect(params.get('q')).toBe('message:"1a2b"');
  expect(params.get('index')).toBe('logs-docker.container-default');
  expect(params.get('in')).toBeNull();
});

test('who does not see it, and who is not logged in, has no link', () => {
  expect(callLogs('1a2b', of('deployments_manager'))).toBeUndefined();
  expect(callLogs('1a2b', null)).toBeUndefined();
});

test('at the monitoring node of a deployment there is none: the logs of the platform are elsewhere', () => {
  expect(callLogs('1a2b', rightsOf(['platform_viewer'], 'orders'))).toBeUndefined();
});
