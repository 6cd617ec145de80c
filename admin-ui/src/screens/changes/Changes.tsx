// What appeared, vanished, restarted, moved, and why; newest first.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { Link, useSearchParams } from 'react-router';
import { type Event, Events } from '../../generated/wharf/v1/events_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import { writeState } from '../../shared/list/list-state';
import type { Column } from '../../shared/list/Rows';
import { ContainerLink, HostLink } from '../../shared/names/links';
import { PageHead } from '../../shared/PageHead';
import { useEventKind } from '../../shared/status/event-kinds';
import { toneOf } from '../../shared/status/event-tone';
import { Mark } from '../../shared/status/Mark';
import { Clock, useNow } from '../../shared/When';

const WHAT: Record<string, { label: MessageKey; filter: string }> = {
  containers: { label: 'changes.containers', filter: 'kind~container' },
  instances: { label: 'changes.instances', filter: 'kind~instance' },
  hosts: { label: 'changes.hosts', filter: 'kind~allocator' },
  deployments: { label: 'changes.deployments', filter: 'kind~deployment' },
  plans: { label: 'changes.plans', filter: 'kind~plan' },
  all: { label: 'changes.all', filter: '' },
};

const SPANS: Record<string, { label: MessageKey; minutes: number }> = {
  '15m': { label: 'span.15m', minutes: 15 },
  '1h': { label: 'span.1h', minutes: 60 },
  '24h': { label: 'span.24h', minutes: 1_440 },
  all: { label: 'span.all', minutes: 0 },
};

const MINUTE = 60_000;

function Subject({ event }: { event: Event }) {
  const [kind, ...rest] = event.subject.split('/');
  const name = rest.join('/');
  if (kind === 'container' && name && event.host) return <ContainerLink host={event.host} name={name} />;
  if (kind === 'container' && name) {
    return <Link to={`/containers?q=${encodeURIComponent(name)}`}>{name}</Link>;
  }
  if (kind === 'plan' && name) return <Link to={`/plans/${name}`}>{`plan ${name.slice(0, 8)}`}</Link>;
  if (kind === 'deployment' && name) {
    return <Link to={`/deployments/${name}`}>{`deployment ${name.slice(0, 8)}`}</Link>;
  }
  if (kind === 'allocator' && name) return <Link to={`/hosts/${name}`}>{`host ${name.slice(0, 8)}`}</Link>;
  return <span title={event.subject}>{event.subject}</span>;
}

export default function Changes() {
  const t = useT();
  const kindWord = useEventKind();
  const [params, setParams] = useSearchParams();
  const what = params.get('what') ?? 'containers';
  const span = params.get('span') ?? '1h';
  const now = useNow(MINUTE);
  const minutes = SPANS[span]?.minutes ?? 0;
  // To the minute: a request that is another one each second would be kept each second.
  const since = minutes > 0 ? timestampFromMs(Math.floor(now / MINUTE - minutes) * MINUTE) : undefined;
  const choose = (name: string, value: string) =>
    setParams((old) => {
      const next = writeState(old, '', {});
      next.set(name, value);
      return next;
    });
  const columns: Column<Event>[] = [
    {
      id: 'at',
      head: t('time'),
      sort: 'number',
      largest: true,
      tight: true,
      cell: (one) => <Clock at={one.at} />,
    },
    {
      id: 'kind',
      head: t('changes.kind'),
      sort: 'kind',
      cell: (one) => <Mark tone={toneOf(one.kind, one.result)} word={kindWord(one.kind)} />,
    },
    { id: 'subject', head: t('changes.subject'), sort: 'subject', cell: (one) => <Subject event={one} /> },
    { id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> },
    { id: 'actor', head: t('changes.actor'), sort: 'actor', cell: (one) => one.actor },
    {
      id: 'detail',
      head: t('changes.cause'),
      cell: (one) => (
        <span title={one.detail}>
          {one.result !== 'done' && one.result ? <code>{one.result} </code> : null}
          {one.detail}
        </span>
      ),
    },
  ];
  const filter = WHAT[what]?.filter;
  return (
    <>
      <PageHead title={t('nav.changes')} />
      <Card flush>
        <ListTable
          label={t('changes.list')}
          method={Events.method.listEvents}
          input={(options) => ({ options, ...(since ? { since } : {}) })}
          rows={(answer) => answer.events}
          info={(answer) => answer.info}
          rowKey={(one) => String(one.number)}
          columns={columns}
          defaultSort="number desc"
          search={{ field: 'subject', label: 'changes.search' }}
          {...(filter ? { fixed: filter } : {})}
          tools={
            <>
              <FormSelect
                aria-label={t('changes.what')}
                value={what}
                onChange={(_, value) => choose('what', value)}
              >
                {Object.entries(WHAT).map(([value, { label }]) => (
                  <FormSelectOption key={value} value={value} label={t(label)} />
                ))}
              </FormSelect>
              <FormSelect aria-label={t('span')} value={span} onChange={(_, value) => choose('span', value)}>
                {Object.entries(SPANS).map(([value, { label }]) => (
                  <FormSelectOption key={value} value={value} label={t(label)} />
                ))}
              </FormSelect>
            </>
          }
          every={5_000}
          empty={{ title: t('changes.empty'), hint: t('changes.empty.hint') }}
        />
      </Card>
    </>
  );
}
