import { expect, test } from 'vitest';
import { basic, headerText } from './header-text';

test('a name that is not of Latin letters is taken as the value of a header', () => {
  const sent = new Headers({ 'x-wharf-deployment': headerText('로그 é') }).get('x-wharf-deployment') ?? '';
  const bytes = Uint8Array.from(sent, (letter) => letter.charCodeAt(0));
  expect(new TextDecoder().decode(bytes)).toBe('로그 é');
  expect(headerText('web-1'), 'Latin letters stay what they are').toBe('web-1');
});

test('user and password go in any letters', () => {
  expect(basic('elastic', 'correct horse')).toBe('Basic ZWxhc3RpYzpjb3JyZWN0IGhvcnNl');
  const bytes = Uint8Array.from(atob(basic('팀', 'a:ü').slice('Basic '.length)), (one) => one.charCodeAt(0));
  expect(new TextDecoder().decode(bytes)).toBe('팀:a:ü');
});
