import { ClipboardCopy, FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { useRights, useSession } from '../../api/session';
import { type Token, Tokens } from '../../generated/wharf/v1/users_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Confirm } from '../../shared/Confirm';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { Mark } from '../../shared/status/Mark';
import { Age, Clock } from '../../shared/When';
import { useRoleWords } from './roles';

const DAY = 86_400;

function CreateToken({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const t = useT();
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const create = useChange(Tokens.method.createToken, onDone);
  const secret = create.data?.secret;
  const wish = { name, lifetimeSeconds: BigInt(Number(days) * DAY) };
  return (
    <Confirm
      title={t('token.create')}
      action={t('create')}
      busy={create.isPending}
      error={create.error}
      whyNot={secret ? t('token.made') : name === '' ? t('token.nameFirst') : undefined}
      extra={<ApiRequest plain method={Tokens.method.createToken} input={wish} />}
      onConfirm={() => create.mutate({ ...wish, mutation: mutation() })}
      onClose={onClose}
    >
      <div className="stack">
        <FormGroup label={t('token.name')} fieldId="token-name">
          <TextInput id="token-name" autoComplete="off" value={name} onChange={(_, next) => setName(next)} />
        </FormGroup>
        <FormGroup label={t('token.days')} fieldId="token-days">
          <FormSelect id="token-days" value={days} onChange={(_, next) => setDays(next)}>
            {['1', '7', '30', '90', '365'].map((one) => (
              <FormSelectOption key={one} value={one} label={one} />
            ))}
          </FormSelect>
        </FormGroup>
        {secret ? (
          <FormGroup label={t('token.secret')} fieldId="token-secret">
            <ClipboardCopy
              isReadOnly
              hoverTip={t('copy')}
              clickTip={t('copied')}
              textAriaLabel={t('token.secret')}
              copyAriaLabel={t('copy')}
            >
              {secret}
            </ClipboardCopy>
          </FormGroup>
        ) : null}
      </div>
    </Confirm>
  );
}

export function TokenList() {
  const t = useT();
  const roleWords = useRoleWords();
  const rights = useRights();
  const session = useSession();
  const queries = useQueryClient();
  const [creating, setCreating] = useState(false);
  const [revoked, setRevoked] = useState<Token | null>(null);
  const renew = () => void queries.invalidateQueries({ queryKey: ['wharf.v1.Tokens'] });
  const revoke = useChange(Tokens.method.revokeToken, () => {
    renew();
    setRevoked(null);
  });
  const columns: Column<Token>[] = [
    { id: 'name', head: t('token.name'), sort: 'name', cell: (one) => <strong>{one.name}</strong> },
    { id: 'user', head: t('login.user'), sort: 'username', cell: (one) => one.username },
    {
      id: 'state',
      head: t('state'),
      sort: 'expired',
      cell: (one) =>
        one.expired ? (
          <Mark tone="off" word={t('token.expired')} />
        ) : (
          <Mark tone="good" word={t('token.valid')} />
        ),
    },
    { id: 'roles', head: t('roles'), sort: 'roles', cell: (one) => roleWords(one.roles) },
    {
      id: 'created',
      head: t('created'),
      sort: 'created',
      right: true,
      cell: (one) => <Age at={one.createdAt} />,
    },
    {
      id: 'expires',
      head: t('expires'),
      sort: 'expires',
      right: true,
      cell: (one) => <Clock at={one.expiresAt} />,
    },
    {
      id: 'actions',
      head: '',
      right: true,
      tight: true,
      cell: (one) => (
        <ActionButton
          variant="link"
          isInline
          isDanger
          aria-label={`${t('token.revoke')} ${one.name}`}
          whyNot={rights.administers || one.username === session.username ? undefined : t('why.notYours')}
          onClick={() => setRevoked(one)}
        >
          {t('token.revoke')}
        </ActionButton>
      ),
    },
  ];
  return (
    <Card flush>
      <ListTable
        label={t('access.tokens')}
        method={Tokens.method.listTokens}
        input={(options) => ({ options })}
        rows={(answer) => answer.tokens}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="created desc"
        search={{ field: 'name', label: 'tokens.search' }}
        tools={
          <ActionButton size="sm" onClick={() => setCreating(true)}>
            {t('token.create')}
          </ActionButton>
        }
        every={15_000}
        empty={{ title: t('tokens.empty'), hint: t('tokens.empty.hint') }}
      />
      {creating ? <CreateToken onClose={() => setCreating(false)} onDone={renew} /> : null}
      {revoked ? (
        <Confirm
          title={t('token.revoke.title', { name: revoked.name })}
          action={t('token.revoke')}
          name={revoked.name}
          danger
          busy={revoke.isPending}
          error={revoke.error}
          extra={<ApiRequest method={Tokens.method.revokeToken} input={{ id: revoked.id }} />}
          onConfirm={() => revoke.mutate({ mutation: mutation(), id: revoked.id })}
          onClose={() => setRevoked(null)}
        >
          {t('token.revoke.about')}
        </Confirm>
      ) : null}
    </Card>
  );
}
