// A channel is made, or replaced as a whole: what it was made of is not given back.
import { FormSelect, FormSelectOption, TextArea, TextInput } from '@patternfly/react-core';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { type ChannelInfo, Channels } from '../../generated/wharf/v1/channels_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Confirm } from '../../shared/Confirm';
import { type ChannelForm, channelFault, channelOf, NEW_CHANNEL } from './channel-form';
import { Field } from './Field';

interface ChannelDialogProps {
  /** To be replaced; none: a new one. */
  channel?: ChannelInfo;
  onDone: () => void;
  onClose: () => void;
}

type TextName = Exclude<keyof ChannelForm, 'kind' | 'tls'>;

export function ChannelDialog({ channel, onDone, onClose }: ChannelDialogProps) {
  const t = useT();
  const [form, setForm] = useState<ChannelForm>({
    ...NEW_CHANNEL,
    name: channel?.name ?? '',
    kind: channel?.kind === 'email' ? 'email' : 'slack',
  });
  const done = () => {
    onDone();
    onClose();
  };
  const create = useChange(Channels.method.createChannel, done);
  const update = useChange(Channels.method.updateChannel, done);
  const change = (part: Partial<ChannelForm>) => setForm((old) => ({ ...old, ...part }));
  const text = (name: TextName, label: MessageKey, help?: string, type: 'text' | 'password' = 'text') => (
    <Field id={`channel-${name}`} label={t(label)} {...(help ? { help } : {})}>
      <TextInput
        id={`channel-${name}`}
        type={type}
        autoComplete={type === 'password' ? 'new-password' : 'off'}
        value={form[name]}
        onChange={(_, value) => change({ [name]: value })}
      />
    </Field>
  );
  const area = (name: TextName, label: MessageKey, help: string) => (
    <Field id={`channel-${name}`} label={t(label)} help={help}>
      <TextArea
        id={`channel-${name}`}
        rows={2}
        resizeOrientation="vertical"
        value={form[name]}
        onChange={(_, value) => change({ [name]: value })}
      />
    </Field>
  );
  const fault = channelFault(form);
  const wish = { channel: channelOf(form) };
  return (
    <Confirm
      title={channel ? t('alerts.channel.replace.title', { name: channel.name }) : t('alerts.channel.create')}
      action={channel ? t('alerts.channel.replace') : t('create')}
      busy={create.isPending || update.isPending}
      error={create.error ?? update.error}
      whyNot={fault ? t(fault) : undefined}
      extra={
        channel ? (
          <ApiRequest plain method={Channels.method.updateChannel} input={wish} />
        ) : (
          <ApiRequest plain method={Channels.method.createChannel} input={wish} />
        )
      }
      onConfirm={() => {
        if (channel) update.mutate({ ...wish, mutation: mutation(channel.version) });
        else create.mutate({ ...wish, mutation: mutation() });
      }}
      onClose={onClose}
    >
      <div className="stack">
        <p className="quiet">{t('alerts.channel.about')}</p>
        {channel ? null : text('name', 'name')}
        <Field id="channel-kind" label={t('alerts.channel.kind')}>
          <FormSelect
            id="channel-kind"
            value={form.kind}
            onChange={(_, kind) =>
              change({ kind: kind === 'email' ? 'email' : kind === 'json' ? 'json' : 'slack' })
            }
          >
            <FormSelectOption value="slack" label={t('alerts.channel.slack')} />
            <FormSelectOption value="json" label={t('alerts.channel.json')} />
            <FormSelectOption value="email" label={t('alerts.channel.email')} />
          </FormSelect>
        </Field>
        {form.kind === 'email' ? (
          <>
            <div className="form-row">
              {text('host', 'alerts.email.host')}
              {text('port', 'alerts.email.port')}
              <Field id="channel-tls" label="TLS">
                <FormSelect
                  id="channel-tls"
                  value={form.tls}
                  onChange={(_, tls) => change({ tls: tls === 'starttls' ? 'starttls' : 'implicit' })}
                >
                  <FormSelectOption value="implicit" label={t('alerts.email.implicit')} />
                  <FormSelectOption value="starttls" label="STARTTLS" />
                </FormSelect>
              </Field>
            </div>
            <div className="form-row">
              {text('username', 'login.user')}
              {text('password', 'login.password', undefined, 'password')}
            </div>
            {text('from', 'alerts.email.from')}
            {text('to', 'alerts.email.to', t('alerts.email.to.help'))}
          </>
        ) : (
          <>
            {text('url', 'alerts.channel.url', t('alerts.channel.url.help'))}
            {area('headers', 'alerts.channel.headers', t('alerts.channel.headers.help'))}
          </>
        )}
        {area('caPem', 'alerts.channel.ca', t('alerts.channel.ca.help'))}
      </div>
    </Confirm>
  );
}
