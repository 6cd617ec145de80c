import { expect, test } from 'vitest';
import { hostsLike, OFFERED, stepped } from './host-search';

test('a few hosts are asked for, however many there are', () => {
  expect(hostsLike('', '').options).toEqual({ pageSize: OFFERED, orderBy: 'host', filter: '' });
  expect(OFFERED).toBeLessThanOrEqual(50);
});

test('the server finds hosts by what is written of the name, without the one it is on', () => {
  expect(hostsLike(' web-1', 'a1').options.filter).toBe('id!="a1" and host~"web-1"');
  expect(hostsLike('w"eb', '').options.filter).toBe('host~"web"');
});

test('arrows stay within the list and other keys are not its', () => {
  expect(stepped('ArrowDown', 0, 3)).toBe(1);
  expect(stepped('ArrowDown', 2, 3)).toBe(2);
  expect(stepped('ArrowDown', 0, 0)).toBe(0);
  expect(stepped('ArrowUp', 0, 3)).toBe(0);
  expect(stepped('a', 1, 3)).toBeUndefined();
});
