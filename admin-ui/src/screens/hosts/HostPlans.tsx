// What was and is done to a host: vacates with their moves, plans that act on it, and what happened there.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import { type Event, Events } from '../../generated/wharf/v1/events_pb';
import { Plans } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { English } from '../../shared/English';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { Actor, Subject } from '../../shared/names/Subject';
import { useEventKind } from '../../shared/status/event-kinds';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { Clock } from '../../shared/When';
import { usePlanChoices } from '../plans/choices';
import { usePlanColumns } from '../plans/columns';
import { Vacates } from './Vacates';
import { useVacateColumns } from './vacate-columns';

export function HostPlans({ host, range }: { host: Allocator; range: TimeRange }) {
  const t = useT();
  const kindWord = useEventKind();
  const plans = usePlanColumns({ withDeployment: true });
  const choices = usePlanChoices();
  const vacates = useVacateColumns({ withHost: false });
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
          label={t('host.plans')}
          title={t('host.plans')}
          prefix="p."
          method={Plans.method.listPlans}
          input={(options) => ({ options, host: host.host })}
          rows={(answer) => answer.plans}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={plans}
          defaultSort="created desc"
          choices={choices}
          every={10_000}
          empty={{ title: t('plans.empty.host', { host: host.host }), hint: t('plans.empty.host.hint') }}
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
