import { expect, test } from 'vitest';
import { catalogues, type MessageKey } from '../../i18n/i18n';
import { actionText } from './engine-actions';

const korean = (key: MessageKey) => catalogues.ko[key];

test('what an engine says of a container is told in words, with what was run in it', () => {
  expect(actionText('die', korean)).toBe('종료됨');
  expect(actionText('health_status: unhealthy', korean)).toBe('상태 확인 실패');
  expect(actionText('exec_start: sh -c true', korean)).toBe('명령 시작됨: sh -c true');
});

test('a word of an engine that is not known stays as it is', () => {
  expect(actionText('checkpoint', korean)).toBe('checkpoint');
  expect(actionText('fly: away', korean)).toBe('fly: away');
});
