import { expect, test } from 'vitest';
import { figure, limitOf, numberOf } from './figures';

test('figures keep the digits that matter', () => {
  expect(figure('0.9123456789')).toBe('0.9123');
  expect(figure('> 0.9')).toBe('> 0.9');
  expect(figure('2000000000')).toBe('2,000,000,000');
  expect(figure('running')).toBe('running');
  expect(figure('17')).toBe('17');
});

test('what is no number is not drawn', () => {
  expect(numberOf('0.5')).toBe(0.5);
  expect(numberOf('')).toBeNull();
  expect(numberOf('red')).toBeNull();
  expect(limitOf('>= 0.05')).toBe(0.05);
  expect(limitOf('= green')).toBeNull();
  expect(limitOf('< -3')).toBe(-3);
});
