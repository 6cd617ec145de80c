// The messages of a watch: to which channel, with what words.
import { Button, FormSelect, FormSelectOption, TextArea, TextInput } from '@patternfly/react-core';
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { Channels } from '../../generated/wharf/v1/channels_pb';
import { useT } from '../../i18n/i18n';
import { Field } from './Field';
import type { FieldsProps } from './WatchFields';
import { type ActionForm, NO_ACTION } from './watch-form';

const MOST_ACTIONS = 8;

interface OneProps {
  at: number;
  action: ActionForm;
  channels: readonly string[];
  onChange: (change: Partial<ActionForm>) => void;
  onRemove: () => void;
}

function OneAction({ at, action, channels, onChange, onRemove }: OneProps) {
  const t = useT();
  const id = (name: string) => `watch-action-${at}-${name}`;
  const known =
    action.channel === '' || channels.includes(action.channel) ? channels : [action.channel, ...channels];
  return (
    <li className="action stack">
      <div className="form-row">
        <Field id={id('channel')} label={t('alerts.channel')}>
          <FormSelect
            id={id('channel')}
            value={action.channel}
            onChange={(_, channel) => onChange({ channel })}
          >
            <FormSelectOption value="" label={t('alerts.channel.all')} />
            {known.map((name) => (
              <FormSelectOption key={name} value={name} label={name} />
            ))}
          </FormSelect>
        </Field>
        <Field id={id('subject')} label={t('alerts.subject')}>
          <TextInput
            id={id('subject')}
            value={action.subject}
            placeholder={t('alerts.words.default')}
            onChange={(_, subject) => onChange({ subject })}
          />
        </Field>
      </div>
      <Field id={id('body')} label={t('alerts.body')}>
        <TextArea
          id={id('body')}
          rows={3}
          resizeOrientation="vertical"
          value={action.body}
          placeholder={t('alerts.words.default')}
          onChange={(_, body) => onChange({ body })}
        />
      </Field>
      <details>
        <summary>{t('alerts.recovered.words')}</summary>
        <div className="stack">
          <Field id={id('recovered-subject')} label={t('alerts.subject')}>
            <TextInput
              id={id('recovered-subject')}
              value={action.recoveredSubject}
              placeholder={t('alerts.words.default')}
              onChange={(_, recoveredSubject) => onChange({ recoveredSubject })}
            />
          </Field>
          <Field id={id('recovered-body')} label={t('alerts.body')}>
            <TextArea
              id={id('recovered-body')}
              rows={3}
              resizeOrientation="vertical"
              value={action.recoveredBody}
              placeholder={t('alerts.words.default')}
              onChange={(_, recoveredBody) => onChange({ recoveredBody })}
            />
          </Field>
        </div>
      </details>
      <div>
        <Button variant="link" isInline isDanger onClick={onRemove}>
          {t('alerts.action.remove')}
        </Button>
      </div>
    </li>
  );
}

export function ActionFields({ form, onChange }: FieldsProps) {
  const t = useT();
  const { seesPlatform } = useRights();
  const list = useCall(
    Channels.method.listChannels,
    { options: { pageSize: 200, orderBy: 'name' } },
    { enabled: seesPlatform },
  );
  const channels = list.data?.channels.map((one) => one.name) ?? [];
  const { actions } = form;
  const set = (next: ActionForm[]) => onChange({ actions: next });
  return (
    <>
      {actions.length === 0 ? <p className="quiet">{t('alerts.action.none')}</p> : null}
      <ol className="action-list">
        {actions.map((action, at) => (
          <OneAction
            // Messages have no name of their own: their place is it.
            // biome-ignore lint/suspicious/noArrayIndexKey: see above
            key={at}
            at={at}
            action={action}
            channels={channels}
            onChange={(change) =>
              set(actions.map((one, index) => (index === at ? { ...one, ...change } : one)))
            }
            onRemove={() => set(actions.filter((_, index) => index !== at))}
          />
        ))}
      </ol>
      {actions.length < MOST_ACTIONS ? (
        <div>
          <Button variant="secondary" size="sm" onClick={() => set([...actions, { ...NO_ACTION }])}>
            {t('alerts.action.add')}
          </Button>
        </div>
      ) : null}
      <p className="quiet">{t('alerts.action.places')}</p>
    </>
  );
}
