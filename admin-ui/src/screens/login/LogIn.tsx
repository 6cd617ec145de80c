// Log in: to the platform, or to the one deployment whose data is shown here.
import { Code, ConnectError } from '@connectrpc/connect';
import { ActionGroup, Alert, Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { useNavigate } from 'react-router';
import { SESSION, useLogIn } from '../../api/login';
import { DEPLOYMENT } from '../../api/serves';
import { useT } from '../../i18n/i18n';
import { Refused } from '../../shared/Refused';
import { useSearchParams } from '../../shared/use-search-params';
import { ownPath } from './own-path';

export function LogIn() {
  const t = useT();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [params] = useSearchParams();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  useEffect(() => {
    document.title = `${t('login.title')} · Wharfinger`;
  }, [t]);
  const logIn = useLogIn((session) => {
    queries.clear();
    queries.setQueryData(SESSION, session);
    void navigate(ownPath(params.get('next')), { replace: true });
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    logIn.go({ username, password });
  };
  const wrong = logIn.error && ConnectError.from(logIn.error).code === Code.Unauthenticated;
  return (
    <main className="login">
      <div className="card">
        <h1>
          <img src="/assets/mark.svg" alt="" /> Wharfinger
        </h1>
        {DEPLOYMENT === undefined ? (
          <p className="quiet">{t('login.about')}</p>
        ) : (
          <p className="quiet">{t('login.about.deployment', { name: DEPLOYMENT })}</p>
        )}
        <Form onSubmit={submit}>
          {params.has('ended') && !logIn.error ? (
            <Alert variant="info" isInline isPlain title={t('login.ended')} />
          ) : null}
          {wrong ? <Alert variant="danger" isInline isPlain title={t('login.wrong')} /> : null}
          {logIn.error && !wrong ? <Refused error={logIn.error} /> : null}
          <FormGroup label={t('login.user')} fieldId="username">
            <TextInput
              id="username"
              name="username"
              autoComplete="username"
              value={username}
              onChange={(_, value) => setUsername(value)}
            />
          </FormGroup>
          <FormGroup label={t('login.password')} fieldId="password">
            <TextInput
              id="password"
              name="password"
              type="password"
              autoComplete="current-password"
              value={password}
              onChange={(_, value) => setPassword(value)}
            />
          </FormGroup>
          <ActionGroup>
            <Button type="submit" isBlock isLoading={logIn.isPending} isDisabled={logIn.isPending}>
              {t('login.go')}
            </Button>
          </ActionGroup>
        </Form>
      </div>
    </main>
  );
}
