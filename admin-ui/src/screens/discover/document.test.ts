import { expect, test } from 'vitest';
import {
  atOf,
  cellText,
  clipped,
  flattened,
  messageOf,
  offsetOf,
  shown,
  streamOf,
  summaryOf,
  toneOf,
  valuesOf,
} from './document';

test('fields are listed by their whole paths, by name', () => {
  const source = { b: 1, a: { d: [1, 2], c: { e: 'x' } }, empty: {} };
  expect(flattened(source)).toEqual([
    ['a.c.e', 'x'],
    ['a.d', [1, 2]],
    ['b', 1],
    ['empty', {}],
  ]);
});

test('values are words, and what holds others is JSON', () => {
  expect(shown([1, null, 'a'])).toBe('1, , a');
  expect(shown([{ a: 1 }])).toBe('[{"a":1}]');
  expect(shown(null)).toBe('');
  expect(shown(false)).toBe('false');
  expect(valuesOf(['a', 2, null, {}])).toEqual(['a', '2']);
});

test('of a long value the beginning is shown, and how much is missing', () => {
  expect(clipped('abcdef', 4)).toEqual({ text: 'abcd', more: 2 });
  expect(clipped('abc', 4)).toEqual({ text: 'abc', more: 0 });
  expect(clipped('abc😀d', 4), 'no letter is cut in two').toEqual({ text: 'abc', more: 3 });
});

test('a row shows the message, else the figures first', () => {
  expect(summaryOf({ message: 'a\n b', log: { level: 'info' } })).toEqual({ message: 'a b', pairs: [] });
  const metrics = { host: { name: 'h' }, agent: { id: 'x' }, docker: { cpu: { total: { pct: 0.5 } } } };
  expect(summaryOf(metrics).pairs).toEqual([
    ['docker.cpu.total.pct', '0.5'],
    ['host.name', 'h'],
  ]);
});

test('a fraction in a row has the digits that matter, and is whole elsewhere', () => {
  const source = { a: 0.00011470428284, big: 1234567 };
  expect(cellText(source, 'a')).toBe('0.0001147');
  expect(cellText(source, 'big')).toBe('1234567');
  expect(shown(source.a)).toBe('0.00011470428284');
});

test('levels have a tone whatever their letters', () => {
  expect([toneOf('ERROR'), toneOf('warn'), toneOf('info'), toneOf('trace'), toneOf('odd')]).toEqual([
    'bad',
    'warn',
    'note',
    'off',
    undefined,
  ]);
});

test('the moment of a document is what the storage ordered it by', () => {
  expect(atOf({ _id: 'a', _index: 'i', _source: {}, sort: [5, 7] })).toBe(5);
  expect(atOf({ _id: 'a', _index: 'i', _source: { '@timestamp': '1970-01-01T00:00:01Z' } })).toBe(1_000);
  expect(offsetOf({ _id: 'a', _index: 'i', _source: { log: { offset: 9 } }, sort: [5, null] })).toBe(9);
});

test('a backing index is told as its data stream', () => {
  expect(streamOf('.ds-logs-docker.container-default-2026.11.29-000001')).toBe(
    'logs-docker.container-default',
  );
  expect(streamOf('plain-index')).toBe('plain-index');
});

test('a request that was written down in fields has a line too', () => {
  const request = {
    http: { request: { method: 'GET' }, response: { status_code: 503 } },
    url: { path: '/_search' },
    event: { duration: 1_500_000 },
    error: { code: 'PRX0003' },
  };
  expect(messageOf(request)).toBe('GET /_search 503 1.5 ms PRX0003');
  expect(messageOf({ ...request, message: 'm' })).toBe('m');
  expect(messageOf({ host: { name: 'h' } })).toBe('');
});
