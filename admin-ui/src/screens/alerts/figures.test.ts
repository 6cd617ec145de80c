import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { WatchSpecSchema } from '../../generated/wharf/monitor/v1/watches_pb';
import { figure, limitOf, measuredBy, numberOf, thresholdText, valueText } from './figures';

test('figures keep the digits that matter', () => {
  expect(figure('0.9123456789')).toBe('0.9123');
  expect(figure('2000000000')).toBe('2,000,000,000');
  expect(figure('17')).toBe('17');
  expect(valueText('running-2', 'number', 'en')).toBe('running-2');
});

test('a share is told in percent, a size in bytes, threshold and value alike', () => {
  expect(valueText('0.136363', 'percent', 'en')).toBe('13.6 %');
  expect(thresholdText('≥ 0.05', 'percent', 'en')).toBe('≥ 5 %');
  expect(thresholdText('> 1610612736', 'bytes', 'en')).toBe('> 1.5 GiB');
  expect(thresholdText('= green', 'percent', 'en')).toBe('= green');
});

test('a watch says in its messages what its value is', () => {
  const spec = (body: string) => create(WatchSpecSchema, { actions: [{ subject: 'x', body }] });
  expect(measuredBy(spec('{{value | percent}} full'))).toBe('percent');
  expect(measuredBy(spec('{{ value|bytes }} left'))).toBe('bytes');
  expect(measuredBy(spec('{{bucket.free.value | bytes}} left'))).toBe('number');
  expect(measuredBy(undefined)).toBe('number');
});

test('what is no number is not drawn', () => {
  expect(numberOf('0.5')).toBe(0.5);
  expect(numberOf('')).toBeNull();
  expect(numberOf('red')).toBeNull();
  expect(limitOf('>= 0.05')).toBe(0.05);
  expect(limitOf('= green')).toBeNull();
  expect(limitOf('< -3')).toBe(-3);
});
