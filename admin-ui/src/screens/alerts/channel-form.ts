// A channel as the dialog has it. Pure.
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type ChannelSchema, EmailTls, WebhookFormat } from '../../generated/wharf/v1/channels_pb';
import type { MessageKey } from '../../i18n/i18n';

export interface ChannelForm {
  name: string;
  kind: 'slack' | 'json' | 'email';
  url: string;
  /** `name: value`, one a line. */
  headers: string;
  host: string;
  port: string;
  tls: 'implicit' | 'starttls';
  username: string;
  password: string;
  from: string;
  to: string;
  caPem: string;
}

export const NEW_CHANNEL: ChannelForm = {
  name: '',
  kind: 'slack',
  url: '',
  headers: '',
  host: '',
  port: '',
  tls: 'implicit',
  username: '',
  password: '',
  from: '',
  to: '',
  caPem: '',
};

export function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return headers;
}

export function channelOf(form: ChannelForm): MessageInitShape<typeof ChannelSchema> {
  const name = form.name.trim();
  if (form.kind === 'email') {
    const value = {
      host: form.host.trim(),
      port: Number(form.port) || 0,
      tls: form.tls === 'starttls' ? EmailTls.STARTTLS : EmailTls.IMPLICIT,
      username: form.username,
      password: form.password,
      from: form.from.trim(),
      to: form.to.split(/[\s,]+/).filter((one) => one !== ''),
      caPem: form.caPem,
    };
    return { name, kind: { case: 'email', value } };
  }
  const value = {
    url: form.url.trim(),
    headers: headersOf(form.headers),
    format: form.kind === 'slack' ? WebhookFormat.SLACK : WebhookFormat.JSON,
    caPem: form.caPem,
  };
  return { name, kind: { case: 'webhook', value } };
}

/** What is missing before anybody is asked. */
export function channelFault(form: ChannelForm): MessageKey | undefined {
  if (!/^[a-z0-9-]{1,64}$/.test(form.name.trim())) return 'alerts.fault.channelName';
  if (form.kind === 'email') {
    if (form.host.trim() === '' || form.from.trim() === '' || form.to.trim() === '') {
      return 'alerts.fault.email';
    }
    return undefined;
  }
  return /^https?:\/\/\S+$/.test(form.url.trim()) ? undefined : 'alerts.fault.url';
}
