// What was and is done to a host: vacates with their moves, and what happened there.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { useFormat } from '../../format/use-format';
import { type Allocator, Allocators, type Vacate } from '../../generated/wharf/v1/allocators_pb';
import { type Event, Events } from '../../generated/wharf/v1/events_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { English } from '../../shared/English';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { Actor, Subject } from '../../shared/names/Subject';
import { useEventKind } from '../../shared/status/event-kinds';
import { VacateMark } from '../../shared/status/marks';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { Clock, Lasted } from '../../shared/When';
import { Vacates } from './Vacates';

export function HostPlans({ host, range }: { host: Allocator; range: TimeRange }) {
  const t = useT();
  const kindWord = useEventKind();
  const format = useFormat();
  const vacates: Column<Vacate>[] = [
    {
      id: 'created',
      head: t('plan.begun'),
      sort: 'created',
      largest: true,
      cell: (one) => <Clock at={one.createdAt} />,
    },
    { id: 'status', head: t('state'), sort: 'status', cell: (one) => <VacateMark status={one.status} /> },
    {
      id: 'moved',
      head: t('move.moved'),
      right: true,
      cell: (one) =>
        `${format.number(one.moves.filter((move) => move.state === 'moved').length)} / ${format.number(one.moves.length)}`,
    },
    { id: 'actor', head: t('plan.actor'), sort: 'actor', cell: (one) => <Actor actor={one.actor} /> },
    {
      id: 'lasted',
      head: t('plan.lasted'),
      right: true,
      cell: (one) => <Lasted from={one.createdAt} to={one.endedAt} />,
    },
    { id: 'reason', head: t('reason'), cell: (one) => <English title={one.reason}>{one.reason}</English> },
  ];
  const changes: Column<Event>[] = [
    {
      id: 'at',
      head: t('time'),
      sort: 'number',
      largest: true,
      tight: true,
      cell: (one) => <Clock at={one.at} />,
    },
    { id: 'kind', head: t('changes.kind'), sort: 'kind', cell: (one) => kindWord(one.kind) },
    {
      id: 'subject',
      head: t('changes.subject'),
      sort: 'subject',
      cell: (one) => <Subject subject={one.subject} host={one.host} />,
    },
    { id: 'actor', head: t('changes.actor'), sort: 'actor', cell: (one) => <Actor actor={one.actor} /> },
    {
      id: 'detail',
      head: t('changes.cause'),
      cell: (one) => <English title={one.detail}>{one.detail}</English>,
    },
  ];
  return (
    <>
      <Vacates host={host} />
      <Card flush>
        <ListTable
          label={t('host.vacates')}
          title={t('host.vacates')}
          prefix="v."
          method={Allocators.method.listVacates}
          input={(options) => ({ options, allocator: host.id })}
          rows={(answer) => answer.vacates}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={vacates}
          defaultSort="created desc"
          every={10_000}
          empty={{ title: t('host.vacates.none'), hint: t('host.vacates.none.hint') }}
        />
      </Card>
      <Card flush>
        <ListTable
          label={t('host.changes')}
          title={t('host.changes')}
          prefix="e."
          method={Events.method.listEvents}
          input={(options) => ({
            options,
            since: timestampFromMs(range.from),
            until: timestampFromMs(range.to),
          })}
          fixed={`host="${host.host}"`}
          rows={(answer) => answer.events}
          info={(answer) => answer.info}
          rowKey={(one) => String(one.number)}
          columns={changes}
          defaultSort="number desc"
          search={{ field: 'subject', label: 'changes.search' }}
          empty={{ title: t('changes.empty'), hint: t('changes.empty.hint') }}
        />
      </Card>
    </>
  );
}
