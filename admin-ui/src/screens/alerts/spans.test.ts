import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { spanMs, spanText, stretchesOf } from './spans';

test('spans are read and written as watches have them', () => {
  expect(spanMs('500ms')).toBe(500);
  expect(spanMs('1h30m')).toBe(5_400_000);
  expect(spanMs('2d')).toBe(172_800_000);
  expect(spanMs('soon')).toBeNull();
  expect(spanMs('5')).toBeNull();
  expect(spanText(5_400_000n)).toBe('1h30m');
  expect(spanText(90_061_001)).toBe('1d1h1m1s1ms');
  expect(spanText(0n)).toBe('');
});

const event = (ms: number, host: string, transition: string, messages = 0) => ({
  at: timestampFromMs(ms),
  group: [{ $typeName: 'wharf.monitor.v1.GroupPart' as const, name: 'host', value: host }],
  transition,
  value: '0.9',
  messages: Array.from({ length: messages }, () => ({}) as never),
});

test('events of a preview come to stretches of firing for each group', () => {
  const rows = stretchesOf([
    event(10, 'b', 'firing', 1),
    event(20, 'a', 'firing', 1),
    event(25, 'a', 'still firing', 1),
    event(30, 'a', 'recovered', 1),
    event(40, 'a', 'firing'),
  ]);
  expect(rows.map((row) => row.group)).toEqual(['a', 'b']);
  expect(rows[0]?.stretches).toEqual([
    { from: 20, to: 30, value: '0.9' },
    { from: 40, to: null, value: '0.9' },
  ]);
  expect(rows[0]?.messages).toEqual([20, 25, 30]);
  expect(rows[1]?.stretches).toEqual([{ from: 10, to: null, value: '0.9' }]);
});
