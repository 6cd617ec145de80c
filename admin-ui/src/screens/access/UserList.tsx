import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { useRights, useSession } from '../../api/session';
import { type User, Users } from '../../generated/wharf/v1/users_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Confirm } from '../../shared/Confirm';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { Refused } from '../../shared/Refused';
import { Mark } from '../../shared/status/Mark';
import { Age } from '../../shared/When';
import { useRoleWords } from './roles';
import { CreateUser, SetPassword, SetRoles } from './UserDialogs';

type Asking = { what: 'create' } | { what: 'roles' | 'password' | 'delete'; user: User } | null;

export function UserList() {
  const t = useT();
  const roleWords = useRoleWords();
  const rights = useRights();
  const session = useSession();
  const queries = useQueryClient();
  const [asking, setAsking] = useState<Asking>(null);
  const renew = () => void queries.invalidateQueries({ queryKey: ['wharf.v1.Users'] });
  const setDisabled = useChange(Users.method.setDisabled, renew);
  const remove = useChange(Users.method.deleteUser, () => {
    renew();
    setAsking(null);
  });
  const whyNot = rights.administers ? undefined : t('why.admin');
  const columns: Column<User>[] = [
    { id: 'name', head: t('login.user'), sort: 'username', cell: (one) => <strong>{one.username}</strong> },
    {
      id: 'state',
      head: t('state'),
      sort: 'disabled',
      cell: (one) =>
        one.disabled ? (
          <Mark tone="off" word={t('user.disabled')} />
        ) : (
          <Mark tone="good" word={t('user.enabled')} />
        ),
    },
    { id: 'roles', head: t('roles'), sort: 'roles', cell: (one) => roleWords(one.roles) },
    { id: 'tokens', head: t('access.tokens'), right: true, cell: (one) => one.tokens },
    {
      id: 'created',
      head: t('created'),
      sort: 'created',
      right: true,
      cell: (one) => <Age at={one.createdAt} />,
    },
    {
      id: 'changed',
      head: t('changed'),
      sort: 'changed',
      right: true,
      cell: (one) => <Age at={one.changedAt} />,
    },
    {
      id: 'actions',
      head: '',
      right: true,
      tight: true,
      cell: (one) => {
        const { username } = one;
        const toggled = { username, disabled: !one.disabled };
        const toggle = `${one.disabled ? t('user.enable') : t('user.disable')} ${username}`;
        return (
          <span className="row-actions">
            <ActionButton
              variant="link"
              isInline
              whyNot={whyNot}
              aria-label={t('user.roles.of', { name: one.username })}
              onClick={() => setAsking({ what: 'roles', user: one })}
            >
              {t('roles')}
            </ActionButton>
            <ActionButton
              variant="link"
              isInline
              whyNot={whyNot}
              aria-label={t('user.password.of', { name: one.username })}
              onClick={() => setAsking({ what: 'password', user: one })}
            >
              {t('login.password')}
            </ActionButton>
            <ActionButton
              variant="link"
              isInline
              whyNot={whyNot ?? (one.username === session.username ? t('user.oneself') : undefined)}
              aria-label={toggle}
              onClick={() => setDisabled.mutate({ ...toggled, mutation: mutation(one.version) })}
            >
              {one.disabled ? t('user.enable') : t('user.disable')}
            </ActionButton>
            <ActionButton
              variant="link"
              isInline
              isDanger
              whyNot={whyNot ?? (one.username === session.username ? t('user.oneself') : undefined)}
              aria-label={`${t('delete')} ${one.username}`}
              onClick={() => setAsking({ what: 'delete', user: one })}
            >
              {t('delete')}
            </ActionButton>
            <ApiRequest plain of={toggle} method={Users.method.setDisabled} input={toggled} />
          </span>
        );
      },
    },
  ];
  const close = () => setAsking(null);
  return (
    <Card flush>
      {setDisabled.error ? <Refused error={setDisabled.error} /> : null}
      <ListTable
        label={t('access.users')}
        method={Users.method.listUsers}
        input={(options) => ({ options })}
        rows={(answer) => answer.users}
        info={(answer) => answer.info}
        rowKey={(one) => one.username}
        columns={columns}
        defaultSort="username"
        search={{ field: 'username', label: 'users.search' }}
        tools={
          <ActionButton size="sm" whyNot={whyNot} onClick={() => setAsking({ what: 'create' })}>
            {t('user.create')}
          </ActionButton>
        }
        every={15_000}
        empty={{ title: t('list.none') }}
      />
      {asking?.what === 'create' ? <CreateUser onClose={close} onDone={renew} /> : null}
      {asking?.what === 'roles' ? <SetRoles user={asking.user} onClose={close} onDone={renew} /> : null}
      {asking?.what === 'password' ? <SetPassword user={asking.user} onClose={close} onDone={renew} /> : null}
      {asking?.what === 'delete' ? (
        <Confirm
          title={t('user.delete.title', { name: asking.user.username })}
          action={t('delete')}
          name={asking.user.username}
          danger
          busy={remove.isPending}
          error={remove.error}
          extra={<ApiRequest method={Users.method.deleteUser} input={{ username: asking.user.username }} />}
          onConfirm={() =>
            remove.mutate({ mutation: mutation(asking.user.version), username: asking.user.username })
          }
          onClose={close}
        >
          {t('user.delete.about')}
        </Confirm>
      ) : null}
    </Card>
  );
}
