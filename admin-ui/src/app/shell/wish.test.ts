import { expect, test } from 'vitest';
import { wishesOf } from './wish';

const english = [
  { act: 'resize', label: 'Resize' },
  { act: 'restart', label: 'Restart' },
  { act: 'cancel', label: 'Cancel plan' },
];
const korean = [
  { act: 'resize', label: '크기 변경' },
  { act: 'restart', label: '재시작' },
];

test('a verb and a name are what to do with what', () => {
  expect(wishesOf('restart orders', english)).toEqual([{ act: 'restart', name: 'orders' }]);
  expect(wishesOf('Cancel plan orders', english)).toEqual([{ act: 'cancel', name: 'orders' }]);
  expect(wishesOf('cancel orders', english)).toEqual([{ act: 'cancel', name: 'orders' }]);
});

test('the beginning of a verb means all that begin so', () => {
  expect(wishesOf('res', english).map((one) => one.act)).toEqual(['resize', 'restart']);
  expect(wishesOf('r', english)).toEqual([]);
});

test('the verb may come last, as in Korean', () => {
  expect(wishesOf('orders 재시작', korean)).toEqual([{ act: 'restart', name: 'orders' }]);
  expect(wishesOf('orders 크기 변경', korean)).toEqual([{ act: 'resize', name: 'orders' }]);
  expect(wishesOf('크기 변경 orders', korean)).toEqual([{ act: 'resize', name: 'orders' }]);
});

test('a name alone is no wish', () => {
  expect(wishesOf('orders', english)).toEqual([]);
  expect(wishesOf('', english)).toEqual([]);
});
