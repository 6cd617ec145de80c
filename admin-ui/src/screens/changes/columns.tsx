// Columns of changes: when, what, on what, where, by whom, and why.
import { useMemo } from 'react';
import { Link } from 'react-router';
import { useCall } from '../../api/call';
import type { Event } from '../../generated/wharf/v1/events_pb';
import { PlanKind, Plans } from '../../generated/wharf/v1/plans_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../../shared/English';
import type { Column } from '../../shared/list/Rows';
import { DeploymentLink, HostLink, PlanLink } from '../../shared/names/links';
import { containerPath } from '../../shared/names/paths';
import { Actor, Subject } from '../../shared/names/Subject';
import { useEventKind } from '../../shared/status/event-kinds';
import { toneOf } from '../../shared/status/event-tone';
import { Mark } from '../../shared/status/Mark';
import { KINDS } from '../../shared/status/marks';
import { Clock } from '../../shared/When';
import { causeOf, instanceOf, movedBy, type What } from './subjects';

/** The newest plans are those that changes of now name; an older one is told by its id. */
const PLANS = { options: { pageSize: 50, orderBy: 'created desc' } };

/** An instance by its own name: beside it stands its deployment. */
function InstanceSubject({ event, platform }: { event: Event; platform: string }) {
  const name = event.subject.replace(/^container\//, '');
  const own = instanceOf(event.subject, platform);
  const to = event.host ? containerPath(event.host, name) : `/containers?q=${encodeURIComponent(name)}`;
  return (
    <Link to={to} title={name}>
      {own?.name ?? name}
    </Link>
  );
}

function Cause({ event, plans }: { event: Event; plans: ReadonlyMap<string, PlanKind> }) {
  const t = useT();
  const { before, planId, after } = causeOf(event.detail);
  const kind = plans.get(planId);
  const word = kind === undefined ? planId.slice(0, 8) : t(KINDS[kind]);
  return (
    <span className="sentence" title={event.detail}>
      {event.result !== 'done' && event.result ? <code>{event.result} </code> : null}
      <English>{before}</English>
      {planId ? <PlanLink id={planId}>{t('changes.plan', { name: word })}</PlanLink> : null}
      <English>{after}</English>
    </span>
  );
}

function usePlanKinds(): ReadonlyMap<string, PlanKind> {
  const plans = useCall(Plans.method.listPlans, PLANS, { every: 30_000 });
  return useMemo(() => new Map(plans.data?.plans.map((one) => [one.id, one.kind])), [plans.data]);
}

export function useChangeColumns(what: What, platform: string): Column<Event>[] {
  const t = useT();
  const kindWord = useEventKind();
  const plans = usePlanKinds();
  const kindCell = (one: Event) => {
    const moved = movedBy(one.kind, plans.get(causeOf(one.detail).planId) === PlanKind.MOVE);
    if (moved === undefined) return <Mark tone={toneOf(one.kind, one.result)} word={kindWord(one.kind)} />;
    return <Mark tone="warn" word={t(moved === 'here' ? 'changes.moved.here' : 'changes.moved.away')} />;
  };
  const deploymentOf = (one: Event) => {
    const alias = instanceOf(one.subject, platform)?.alias ?? '';
    return <DeploymentLink id={one.deploymentId || alias} name={alias} />;
  };
  return [
    {
      id: 'at',
      head: t('time'),
      sort: 'number',
      largest: true,
      tight: true,
      cell: (one) => <Clock at={one.at} />,
    },
    { id: 'kind', head: t('changes.kind'), sort: 'kind', cell: kindCell },
    ...(what === 'instances'
      ? [{ id: 'deployment', head: t('deployment'), sort: 'deployment_id', cell: deploymentOf }]
      : []),
    {
      id: 'subject',
      head: t('changes.subject'),
      sort: 'subject',
      cell: (one) =>
        what === 'instances' ? (
          <InstanceSubject event={one} platform={platform} />
        ) : (
          <Subject subject={one.subject} host={one.host} />
        ),
    },
    { id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> },
    { id: 'actor', head: t('changes.actor'), sort: 'actor', cell: (one) => <Actor actor={one.actor} /> },
    {
      id: 'detail',
      head: t('changes.cause'),
      sort: 'detail',
      cell: (one) => <Cause event={one} plans={plans} />,
    },
  ];
}
