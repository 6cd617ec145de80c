import { expect, test } from 'vitest';
import { placesFor } from '../app/places';
import { hasPage, monitoringBeside, servedBy, storageBeside } from './serves';
import { rightsOf } from './session';

test('a page that names no deployment is one of the platform', () => {
  for (const content of [undefined, null, '', '__WHARF_DEPLOYMENT__']) {
    expect(servedBy(content), String(content)).toBeUndefined();
  }
  expect(servedBy('logs of team a')).toBe('logs of team a');
});

test('a deployment has the pages of its data and no other', () => {
  const team = 'logs of team a';
  for (const path of ['/', '/discover?index=logs-*', '/alerts/watches/errors', '/services/web#x']) {
    expect(hasPage(path, team), path).toBe(true);
  }
  for (const path of ['/hosts', '/deployments/a1', '/placement#zones', '/discovery', '/access']) {
    expect(hasPage(path, team), path).toBe(false);
    expect(hasPage(path, undefined), path).toBe(true);
  }
});

test('every entry of a deployment leads to a page that it has', () => {
  const rights = rightsOf([], 'logs of team a');
  const places = placesFor(rights).flatMap((group) => group.places);
  expect(places.map((place) => place.path)).toEqual([
    '/discover?index=logs-*',
    '/discover',
    '/dashboards',
    '/services',
    '/alerts',
  ]);
  for (const { path } of places) expect(hasPage(path, 'logs of team a'), path).toBe(true);
  expect(rights).toEqual({ administers: false, seesPlatform: false, seesDeployments: false, manages: true });
});

test('a role of the platform is worth nothing at a deployment', () => {
  expect(rightsOf(['platform_admin'], 'logs of team a').seesPlatform).toBe(false);
  expect(rightsOf(['platform_admin'], undefined).seesPlatform).toBe(true);
});

test('the storage is beside the monitoring node', () => {
  expect(storageBeside('https://team-monitor.localhost:9243')).toBe('https://team.localhost:9243');
  expect(storageBeside('https://team-monitor.data.example')).toBe('https://team.data.example');
  expect(storageBeside('https://10.0.0.4:18004')).toBeUndefined();
  expect(storageBeside('https://team.localhost:9243')).toBeUndefined();
});

test('the monitoring node is beside the storage, under the alias alone', () => {
  expect(monitoringBeside('https://logs.example.org:9243', 'logs')).toBe(
    'https://logs-monitor.example.org:9243',
  );
  expect(monitoringBeside('https://logs.logs.org', 'logs')).toBe('https://logs-monitor.logs.org');
  expect(monitoringBeside('https://other.example.org', 'logs')).toBeUndefined();
  expect(monitoringBeside('', 'logs')).toBeUndefined();
  expect(monitoringBeside('https://.example.org', '')).toBeUndefined();
});
