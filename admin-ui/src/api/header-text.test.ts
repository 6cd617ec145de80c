import { expect, test } from 'vitest';
import { headerText } from './header-text';

test('a name that is not of Latin letters is taken as the value of a header', () => {
  const sent = new Headers({ 'x-wharf-deployment': headerText('로그 é') }).get('x-wharf-deployment') ?? '';
  const bytes = Uint8Array.from(sent, (letter) => letter.charCodeAt(0));
  expect(new TextDecoder().decode(bytes)).toBe('로그 é');
  expect(headerText('web-1'), 'Latin letters stay what they are').toBe('web-1');
});
