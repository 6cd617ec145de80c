// Where messages to people go. What a channel is made of is secret: it is set here and never shown again.
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { mutation, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { type ChannelInfo, Channels as Service } from '../../generated/wharf/v1/channels_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Confirm } from '../../shared/Confirm';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { CHANNEL_KINDS, useNameWord } from '../../shared/names/stable-names';
import { Mark } from '../../shared/status/Mark';
import { Age } from '../../shared/When';
import { ChannelDialog } from './ChannelDialog';

function TestChannel({ name }: { name: string }) {
  const t = useT();
  const rights = useRights();
  const test = useChange(Service.method.testChannel);
  return (
    <>
      {test.data ? (
        test.data.sent ? (
          <Mark tone="good" word={t('alerts.channel.sent')} />
        ) : (
          <span title={test.data.reason}>
            <Mark tone="bad" word={test.data.reason || t('alerts.delivery.failed')} />
          </span>
        )
      ) : test.error ? (
        <Mark tone="bad" word={test.error.message} />
      ) : null}
      <ActionButton
        variant="link"
        isInline
        isLoading={test.isPending}
        aria-label={`${t('alerts.channel.test')} ${name}`}
        whyNot={rights.administers ? undefined : t('why.admin')}
        onClick={() => test.mutate({ mutation: mutation(), name })}
      >
        {t('alerts.channel.test')}
      </ActionButton>
    </>
  );
}

export function Channels() {
  const t = useT();
  const rights = useRights();
  const queries = useQueryClient();
  const word = useNameWord();
  const [edited, setEdited] = useState<ChannelInfo | 'new' | null>(null);
  const [removed, setRemoved] = useState<ChannelInfo | null>(null);
  const renew = () => void queries.invalidateQueries({ queryKey: [Service.typeName] });
  const remove = useChange(Service.method.deleteChannel, () => {
    renew();
    setRemoved(null);
  });
  const whyNot = rights.administers ? undefined : t('why.admin');
  const columns: Column<ChannelInfo>[] = [
    { id: 'name', head: t('name'), sort: 'name', cell: (one) => <strong>{one.name}</strong> },
    {
      id: 'kind',
      head: t('alerts.channel.kind'),
      sort: 'kind',
      cell: (one) => word(CHANNEL_KINDS, one.kind),
    },
    { id: 'host', head: t('alerts.channel.host'), sort: 'host', cell: (one) => one.host },
    {
      id: 'notified',
      head: t('alerts.channel.notified'),
      cell: (one) => (one.notified ? t('yes') : t('no')),
    },
    {
      id: 'changed',
      head: t('changed'),
      right: true,
      tight: true,
      cell: (one) => <Age at={one.changedAt} />,
    },
    {
      id: 'actions',
      head: '',
      right: true,
      tight: true,
      cell: (one) => (
        <span className="row-actions">
          <TestChannel name={one.name} />
          <ActionButton
            variant="link"
            isInline
            aria-label={`${t('alerts.channel.replace')} ${one.name}`}
            whyNot={whyNot}
            onClick={() => setEdited(one)}
          >
            {t('alerts.channel.replace')}
          </ActionButton>
          <ActionButton
            variant="link"
            isInline
            isDanger
            aria-label={`${t('delete')} ${one.name}`}
            whyNot={whyNot}
            onClick={() => setRemoved(one)}
          >
            {t('delete')}
          </ActionButton>
          <ApiRequest
            plain
            of={`${t('alerts.channel.test')} ${one.name}`}
            method={Service.method.testChannel}
            input={{ name: one.name }}
          />
        </span>
      ),
    },
  ];
  return (
    <Card flush>
      <ListTable
        label={t('alerts.channels')}
        method={Service.method.listChannels}
        input={(options) => ({ options })}
        rows={(answer) => answer.channels}
        info={(answer) => answer.info}
        rowKey={(one) => one.name}
        columns={columns}
        defaultSort="name"
        search={{ field: 'name', label: 'alerts.channel.search' }}
        tools={
          <ActionButton size="sm" whyNot={whyNot} onClick={() => setEdited('new')}>
            {t('alerts.channel.create')}
          </ActionButton>
        }
        every={30_000}
        empty={{ title: t('alerts.channels.empty'), hint: t('alerts.channels.empty.hint') }}
      />
      {edited ? (
        <ChannelDialog
          {...(edited === 'new' ? {} : { channel: edited })}
          onDone={renew}
          onClose={() => setEdited(null)}
        />
      ) : null}
      {removed ? (
        <Confirm
          title={t('alerts.channel.delete.title', { name: removed.name })}
          action={t('delete')}
          name={removed.name}
          danger
          busy={remove.isPending}
          error={remove.error}
          extra={<ApiRequest method={Service.method.deleteChannel} input={{ name: removed.name }} />}
          onConfirm={() => remove.mutate({ mutation: mutation(removed.version), name: removed.name })}
          onClose={() => {
            setRemoved(null);
            remove.reset();
          }}
        >
          {t('alerts.channel.delete.about')}
        </Confirm>
      ) : null}
    </Card>
  );
}
