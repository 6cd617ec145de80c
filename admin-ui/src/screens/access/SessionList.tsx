import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { sessionEnded } from '../../api/transport';
import { type Session, Sessions } from '../../generated/wharf/v1/sessions_pb';
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

export function SessionList() {
  const t = useT();
  const roleWords = useRoleWords();
  const queries = useQueryClient();
  const [ended, setEnded] = useState<Session | null>(null);
  const end = useChange(Sessions.method.endSession, () => {
    if (ended?.current) sessionEnded();
    else void queries.invalidateQueries({ queryKey: ['wharf.v1.Sessions', 'ListSessions'] });
    setEnded(null);
  });
  const columns: Column<Session>[] = [
    {
      id: 'user',
      head: t('login.user'),
      sort: 'username',
      cell: (one) => (
        <span className="line">
          <strong>{one.username}</strong>
          {one.current ? <Mark tone="good" word={t('session.this')} /> : null}
        </span>
      ),
    },
    { id: 'via', head: t('session.via'), sort: 'via', cell: (one) => <span title={one.via}>{one.via}</span> },
    { id: 'roles', head: t('roles'), cell: (one) => roleWords(one.roles) },
    {
      id: 'created',
      head: t('session.since'),
      sort: 'created',
      largest: true,
      right: true,
      cell: (one) => <Age at={one.createdAt} />,
    },
    {
      id: 'used',
      head: t('session.used'),
      sort: 'used',
      right: true,
      cell: (one) => <Age at={one.usedAt} />,
    },
    { id: 'idle', head: t('session.idle'), right: true, cell: (one) => <Clock at={one.idleAt} /> },
    {
      id: 'expires',
      head: t('session.latest'),
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
          aria-label={t('session.end.of', { name: one.username, id: one.id.slice(0, 8) })}
          onClick={() => setEnded(one)}
        >
          {t('session.end')}
        </ActionButton>
      ),
    },
  ];
  return (
    <Card flush>
      <ListTable
        label={t('access.sessions')}
        method={Sessions.method.listSessions}
        input={(options) => ({ options })}
        rows={(answer) => answer.sessions}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="created desc"
        search={{ field: 'username', label: 'users.search' }}
        every={10_000}
        empty={{ title: t('list.none') }}
      />
      {ended ? (
        <Confirm
          title={t('session.end.title', { name: ended.username })}
          action={t('session.end')}
          danger
          busy={end.isPending}
          error={end.error}
          extra={<ApiRequest method={Sessions.method.endSession} input={{ id: ended.id }} />}
          onConfirm={() => end.mutate({ mutation: mutation(), id: ended.id })}
          onClose={() => setEnded(null)}
        >
          {ended.current ? t('session.end.own') : t('session.end.about')}
        </Confirm>
      ) : null}
    </Card>
  );
}
