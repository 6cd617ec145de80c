import { expect, test } from 'vitest';
import {
  emptyDocument,
  freshId,
  nameOf,
  type Panel,
  readDocument,
  writeDocument,
  ZONE_FIELD,
} from './document';

const panel = (more: object = {}): object => ({
  id: 'cpu',
  kind: 'line',
  title: 'CPU',
  at: { x: 0, y: 0, w: 6, h: 6 },
  index: 'metrics-docker.cpu-*',
  metrics: [{ of: 'avg', field: 'docker.cpu.total.pct' }],
  ...more,
});
const faultsOf = (document: object) =>
  readDocument(JSON.stringify(document)).faults.map((one) => `${one.path} ${one.fault}`);

test('what is written reads back, whatever the order of its names', () => {
  const read = readDocument(JSON.stringify({ panels: [panel({ split: 'host.name' })], refresh: 10 }));
  expect(read.faults).toEqual([]);
  const document = read.document ?? emptyDocument();
  expect(document.panels[0]).toMatchObject({ index: ['metrics-docker.cpu-*'], split: ['host.name'] });
  const text = writeDocument(document);
  expect(readDocument(text).document).toEqual(document);
  const turned = JSON.parse(text, (_, value: unknown) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).reverse())
      : value,
  ) as typeof document;
  expect(writeDocument(turned), 'equal documents are equal texts').toBe(text);
});

test('each fault is told with its path', () => {
  expect(readDocument('{').faults[0]?.fault).toBe('json');
  expect(faultsOf([])).toEqual([' type']);
  expect(faultsOf({ schema: 2 })).toEqual(['schema schema']);
  expect(faultsOf({ panels: [panel({ kind: 'globe' })] })).toEqual(['panels[0].kind choice']);
  expect(faultsOf({ panels: [panel(), panel()] })).toEqual(['panels[1].id twice']);
  expect(faultsOf({ panels: [panel({ at: { x: 8, y: 0, w: 6, h: 6 } })] })).toEqual(['panels[0].at.x range']);
  expect(faultsOf({ panels: [panel({ metrics: [{ of: 'avg' }] })] })).toEqual([
    'panels[0].metrics[0].field missing',
  ]);
  expect(faultsOf({ panels: [panel({ metrics: undefined, index: [] })] })).toEqual([
    'panels[0].index missing',
    'panels[0].metrics missing',
  ]);
  expect(faultsOf({ variables: [{ name: 'No', index: 'a', field: 'b' }] })).toEqual([
    'variables[0].name choice',
  ]);
});

test('a map is of zones unless it says otherwise, and circles are as large as one of two things', () => {
  const of = (more: object) => readDocument(JSON.stringify({ panels: [panel({ kind: 'map', ...more })] }));
  expect(of({ sized: 'memory' }).document?.panels[0]).toMatchObject({ split: [ZONE_FIELD], sized: 'memory' });
  expect(of({ split: 'host.name' }).document?.panels[0]?.split).toEqual(['host.name']);
  expect(of({ sized: 'people' }).faults).toMatchObject([{ path: 'panels[0].sized', fault: 'choice' }]);
});

test('what a later version adds is passed over', () => {
  const read = readDocument(JSON.stringify({ later: 1, panels: [panel({ later: {} })] }));
  expect(read.faults).toEqual([]);
  expect(read.document?.panels[0]).not.toHaveProperty('later');
});

test('an empty document is one without panels', () => {
  expect(readDocument('').document).toEqual(emptyDocument());
  expect(readDocument('{}').document).toEqual(emptyDocument());
});

test('names come from titles, and ids are never there twice', () => {
  expect(nameOf('  Web shop: checkout! ')).toBe('web-shop-checkout');
  expect(nameOf('대시보드')).toBe('');
  const document = { ...emptyDocument(), panels: [{ id: 'cpu' } as Panel, { id: 'cpu-2' } as Panel] };
  expect(freshId(document, 'CPU')).toBe('cpu-3');
  expect(freshId(document, '메모리')).toBe('panel');
});
