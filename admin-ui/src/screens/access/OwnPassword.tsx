import { Alert, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { type FormEvent, useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { SECRET } from '../../api/secrets';
import { Users } from '../../generated/wharf/v1/users_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Refused } from '../../shared/Refused';

const SHORTEST_PASSWORD = 8;

export function OwnPassword() {
  const t = useT();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const change = useChange(Users.method.changeOwnPassword, () => {
    setCurrent('');
    setNext('');
  });
  const whyNot =
    current === ''
      ? t('password.currentFirst')
      : next.length < SHORTEST_PASSWORD
        ? t('password.short', { least: SHORTEST_PASSWORD })
        : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!whyNot) change.mutate({ mutation: mutation(), currentPassword: current, password: next });
  };
  return (
    <div className="columns">
      <div className="half">
        <Card title={t('access.password')}>
          <Form onSubmit={submit}>
            <p className="quiet">{t('password.about')}</p>
            <FormGroup label={t('password.current')} fieldId="current">
              <TextInput
                id="current"
                type="password"
                autoComplete="current-password"
                value={current}
                onChange={(_, value) => setCurrent(value)}
              />
            </FormGroup>
            <FormGroup label={t('password.new')} fieldId="next">
              <TextInput
                id="next"
                type="password"
                autoComplete="new-password"
                value={next}
                onChange={(_, value) => setNext(value)}
              />
            </FormGroup>
            {change.error ? <Refused error={change.error} /> : null}
            {change.data ? <Alert isInline isPlain variant="success" title={t('password.done')} /> : null}
            <div className="actions">
              <ActionButton type="submit" isLoading={change.isPending} whyNot={whyNot}>
                {t('password.go')}
              </ActionButton>
              <ApiRequest
                plain
                method={Users.method.changeOwnPassword}
                input={{ currentPassword: SECRET, password: SECRET }}
              />
            </div>
          </Form>
        </Card>
      </div>
    </div>
  );
}
