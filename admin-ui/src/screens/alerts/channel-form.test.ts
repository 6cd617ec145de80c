import { expect, test } from 'vitest';
import { WebhookFormat } from '../../generated/wharf/v1/channels_pb';
import { channelFault, channelOf, headersOf, NEW_CHANNEL } from './channel-form';

test('headers are one a line, and a value may have a colon', () => {
  expect(headersOf('authorization: Bearer a:b\n\nx-team:  ops\nno header')).toEqual({
    authorization: 'Bearer a:b',
    'x-team': 'ops',
  });
});

test('a webhook carries its address, a mail its receivers', () => {
  const hook = channelOf({ ...NEW_CHANNEL, name: 'ops', kind: 'json', url: 'https://x/y' });
  expect(hook.kind).toMatchObject({
    case: 'webhook',
    value: { url: 'https://x/y', format: WebhookFormat.JSON },
  });
  const mail = channelOf({
    ...NEW_CHANNEL,
    name: 'm',
    kind: 'email',
    host: 'smtp',
    from: 'a@b',
    to: 'c@d, e@f',
  });
  expect(mail.kind).toMatchObject({ case: 'email', value: { to: ['c@d', 'e@f'], port: 0 } });
});

test('what is missing is told before anybody is asked', () => {
  expect(channelFault(NEW_CHANNEL)).toBe('alerts.fault.channelName');
  expect(channelFault({ ...NEW_CHANNEL, name: 'ops' })).toBe('alerts.fault.url');
  expect(channelFault({ ...NEW_CHANNEL, name: 'ops', url: 'https://x' })).toBeUndefined();
  expect(channelFault({ ...NEW_CHANNEL, name: 'm', kind: 'email' })).toBe('alerts.fault.email');
});
