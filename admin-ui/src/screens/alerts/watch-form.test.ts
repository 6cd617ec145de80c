import { expect, test } from 'vitest';
import { Comparison, Missing } from '../../generated/wharf/monitor/v1/watches_pb';
import { builtBody, faultsOf, formOf, groupNames, NEW_FORM, specOf, type WatchForm } from './watch-form';

const form: WatchForm = { ...NEW_FORM, name: 'many-errors' };

test('groups are called as messages call them, each by a name of its own', () => {
  expect(groupNames(['host.name', 'container.name', 'docker.container.name'])).toEqual([
    'host',
    'container',
    'container2',
  ]);
});

test('fields come to a search and a condition on each group', () => {
  const spec = specOf(form);
  expect(JSON.parse(spec.search?.bodyJson ?? '')).toEqual({
    query: {
      bool: {
        filter: [
          { range: { '@timestamp': { gte: '{{from}}', lt: '{{to}}' } } },
          { query_string: { query: 'log.level:error', default_operator: 'AND' } },
        ],
      },
    },
    aggs: { service: { terms: { field: 'service.name', size: 1000 } } },
  });
  expect(spec.search?.windowMs).toBe(300_000n);
  expect(spec.condition?.kind.case).toBe('each');
  expect(spec.condition?.kind.value?.measure?.of).toMatchObject({ case: 'path', value: 'doc_count' });
  expect(spec.condition?.kind.value?.threshold?.kind).toEqual({ case: 'number', value: 10 });
});

test('without groups the whole answer is judged', () => {
  const spec = specOf({ ...form, groups: '', measure: 'p95', field: 'event.duration' });
  expect(spec.condition?.kind.case).toBe('compare');
  expect(spec.condition?.kind.value?.measure?.of.value).toBe('aggregations.measured.values.95.0');
});

test('a share is a ratio of two counts', () => {
  const spec = specOf({ ...form, measure: 'share', part: 'http.response.status_code:>=500' });
  expect(spec.condition?.kind.value?.measure?.of).toMatchObject({
    case: 'ratio',
    value: { part: 'part.doc_count', whole: 'doc_count' },
  });
});

test.each<Partial<WatchForm>>([
  {},
  { groups: '', measure: 'count', query: '' },
  { groups: 'host.name, container.name', measure: 'avg', field: 'docker.cpu.total.pct', threshold: '0.5' },
  {
    measure: 'share',
    part: 'level:error',
    missing: Missing.ERROR,
    minCount: '20',
    comparison: Comparison.GTE,
  },
  { measure: 'p95', field: 'event.duration', runs: 'cron', cron: '0 8 * * mon-fri', timeZone: 'Asia/Seoul' },
  {
    labels: 'team=shop, tier=1',
    throttle: '1h30m',
    actions: [
      {
        ...NEW_FORM.actions[0],
        channel: 'ops',
        subject: 's',
        body: '',
        recoveredSubject: '',
        recoveredBody: '',
      },
    ],
  },
])('what the form says of a watch it reads back: %j', (change) => {
  const said = { ...form, ...change };
  const read = formOf(specOf(said));
  expect(read.search, 'its search is one of fields').toBe('fields');
  expect(builtBody(read)).toEqual(builtBody(said));
  expect(specOf(read)).toEqual(specOf(said));
});

test('a search that is not of fields stays JSON, word for word', () => {
  const body = { query: { match_all: {} }, aggs: { host: { terms: { field: 'host.name', size: 5 } } } };
  const said: WatchForm = {
    ...form,
    search: 'json',
    body: JSON.stringify(body),
    buckets: 'host',
    path: 'doc_count',
  };
  const read = formOf(specOf(said));
  expect(read.search).toBe('json');
  expect(JSON.parse(read.body)).toEqual(body);
  expect(read).toMatchObject({ buckets: 'host', path: 'doc_count', whole: '' });
});

test('what cannot be read is told before anybody is asked', () => {
  expect(faultsOf(form)).toEqual({});
  expect(
    Object.keys(faultsOf({ ...form, name: 'No Name', indices: ' ', every: 'often', threshold: '' })),
  ).toEqual(['name', 'indices', 'every', 'threshold']);
  expect(Object.keys(faultsOf({ ...form, search: 'json', body: '[]', path: '' }))).toEqual(['body', 'path']);
  expect(Object.keys(faultsOf({ ...form, measure: 'avg' }))).toEqual(['field']);
});

test('figures that are none are told and do not break what is being drawn', () => {
  for (const wrong of ['-1', '1.5', '1e999', 'ten', '1234567890']) {
    const said = { ...form, minCount: wrong, recoverAfter: wrong };
    expect(Object.keys(faultsOf(said)), wrong).toEqual(['minCount', 'recoverAfter']);
    expect(specOf(said).recoverAfter, wrong).toBe(0);
  }
  expect(faultsOf({ ...form, minCount: ' 20 ', recoverAfter: '' })).toEqual({});
});
