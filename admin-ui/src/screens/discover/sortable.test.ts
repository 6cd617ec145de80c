import { expect, test } from 'vitest';
import { sortableBy } from './sortable';
import { WHOLE } from './view-state';

const field = (name: string, type: string, aggregatable = true) => ({ name, type, aggregatable });
const fields = new Map(
  [
    field('message', 'text', false),
    field('title', 'text', false),
    field('title.keyword', 'keyword'),
    field('log.level', 'keyword'),
    field('event.duration', 'long'),
    field('code', 'conflict', false),
    field('place', 'geo_shape', false),
  ].map((one) => [one.name, one]),
);

test('names begin with the first, figures and times with the largest', () => {
  expect(sortableBy('log.level', fields)).toEqual({ field: 'log.level', largest: false });
  expect(sortableBy('event.duration', fields)).toEqual({ field: 'event.duration', largest: true });
  expect(sortableBy('@timestamp', new Map())).toEqual({ field: '@timestamp', largest: true });
});

test('a text is ordered by its keyword, and without one says why not', () => {
  expect(sortableBy('title', fields)).toEqual({ field: 'title.keyword', largest: false });
  expect(sortableBy('message', fields)).toEqual({ why: 'text' });
});

test('what has no order says why', () => {
  expect(sortableBy(WHOLE, fields)).toEqual({ why: 'whole' });
  expect(sortableBy('code', fields)).toEqual({ why: 'conflict' });
  expect(sortableBy('place', fields)).toEqual({ why: 'unordered' });
});

test('the storage judges what is not known here', () => {
  expect(sortableBy('labels.rare', fields)).toEqual({ field: 'labels.rare', largest: false });
});
