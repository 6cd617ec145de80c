import { expect, test } from 'vitest';
import { domainOf, monitoringBeside } from './addresses';

test('the domain is what stands behind the star', () => {
  expect(domainOf('https://*.example.org:9243')).toBe('example.org');
  expect(domainOf('https://*.localhost')).toBe('localhost');
  expect(domainOf('')).toBe('–');
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
