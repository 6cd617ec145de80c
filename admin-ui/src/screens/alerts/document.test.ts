import { expect, test } from 'vitest';
import { Comparison, Missing } from '../../generated/wharf/monitor/v1/watches_pb';
import { documentOf } from './document';
import { NEW_FORM, NO_ACTION, specOf } from './watch-form';

test('a watch is written with the fields of the guide', () => {
  const spec = specOf({
    ...NEW_FORM,
    name: 'checkout-slow',
    labels: 'team=shop',
    measure: 'share',
    part: 'status:>=500',
    comparison: Comparison.GTE,
    threshold: '0.05',
    minCount: '20',
    missing: Missing.OK,
    actions: [{ ...NO_ACTION, channel: 'ops', subject: '{{group.service}} is slow' }],
  });
  const { input, ...rest } = JSON.parse(documentOf(spec));
  expect(rest).toEqual({
    name: 'checkout-slow',
    severity: 'warning',
    labels: { team: 'shop' },
    trigger: { interval: '1m' },
    condition: {
      each: {
        buckets: ['service'],
        ratio: { part: 'part.doc_count', whole: 'doc_count' },
        gte: 0.05,
        min_count: 20,
        missing: 'ok',
      },
    },
    throttle: '1h',
    recover_after: 1,
    timeout: '10s',
    actions: [{ channel: 'ops', subject: '{{group.service}} is slow' }],
  });
  expect(input.search.index).toBe('logs-docker.container-default');
  expect(input.search.window).toBe('5m');
  expect(input.search.body.aggs.service.terms.field).toBe('service.name');
});

test('a watch by the calendar that judges the whole answer', () => {
  const spec = specOf({
    ...NEW_FORM,
    name: 'quiet',
    enabled: false,
    groups: '',
    runs: 'cron',
    cron: '0 8 * * *',
    threshold: '0',
    comparison: Comparison.EQ,
  });
  const document = JSON.parse(documentOf(spec));
  expect(document.enabled).toBe(false);
  expect(document.trigger).toEqual({ cron: '0 8 * * *', time_zone: 'UTC' });
  expect(document.condition).toEqual({ compare: { path: 'hits.total.value', eq: 0, missing: 'ok' } });
});
