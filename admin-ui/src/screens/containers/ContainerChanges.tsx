// What happened to a container: what the directors saw and why, and what its engine said.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { SYSTEM, useSearch } from '../../api/monitor';
import { clock } from '../../format/format';
import { type Event, Events } from '../../generated/wharf/v1/events_pb';
import { useI18n } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { English } from '../../shared/English';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { Actor } from '../../shared/names/Subject';
import { ShowQuery } from '../../shared/query/ShowQuery';
import { useEventKind } from '../../shared/status/event-kinds';
import { toneOf } from '../../shared/status/event-tone';
import { Mark, type Tone } from '../../shared/status/Mark';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { Clock } from '../../shared/When';
import { actionText } from './engine-actions';
import { type EngineEvent, EVENTS, engineEvents, eventsBody } from './queries';

function toneOfAction({ action, exitCode }: EngineEvent): Tone {
  if (action === 'oom' || (action === 'die' && exitCode !== '0' && exitCode !== '')) return 'bad';
  if (action === 'die' || action === 'kill' || action === 'stop' || action === 'pause') return 'warn';
  if (action === 'start' || action === 'create' || action === 'unpause') return 'good';
  return action.startsWith('health_status: unhealthy') ? 'bad' : 'off';
}

function EngineEvents({ host, name, range }: { host: string; name: string; range: TimeRange }) {
  const { t, locale } = useI18n();
  const body = eventsBody(host, name, range);
  const events = useSearch({ deployment: SYSTEM, indices: [EVENTS], body }, { keep: true });
  return (
    <Card
      flush
      title={t('container.engine')}
      actions={<ShowQuery deployment={SYSTEM} indices={[EVENTS]} body={body} />}
    >
      <DataState query={events} lines={5}>
        {(answer) => {
          const all = engineEvents(answer);
          if (all.length === 0)
            return <Empty title={t('container.engine.none')}>{t('changes.empty.hint')}</Empty>;
          return (
            <section
              className="rows"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
              tabIndex={0}
              aria-label={t('container.engine')}
            >
              <table className="grid" aria-label={t('container.engine')}>
                <thead>
                  <tr>
                    <th scope="col">{t('time')}</th>
                    <th scope="col">{t('changes.kind')}</th>
                    <th scope="col">{t('container.exitCode')}</th>
                    <th scope="col">{t('container.signal')}</th>
                    <th scope="col">{t('container.image')}</th>
                    <th scope="col">{t('id')}</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((one) => (
                    <tr key={one.id}>
                      <td className="tight">
                        <time
                          dateTime={new Date(one.at).toISOString()}
                          title={new Date(one.at).toISOString()}
                        >
                          {clock(new Date(one.at), locale, new Date())}
                        </time>
                      </td>
                      <td title={one.action}>
                        <Mark tone={toneOfAction(one)} word={actionText(one.action, t)} />
                      </td>
                      <td>{one.exitCode || '–'}</td>
                      <td>{one.signal || '–'}</td>
                      <td className="mono">{one.image}</td>
                      <td className="mono">{one.containerId.slice(0, 12)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          );
        }}
      </DataState>
    </Card>
  );
}

export function ContainerChanges({ host, name, range }: { host: string; name: string; range: TimeRange }) {
  const { t } = useI18n();
  const kindWord = useEventKind();
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
      cell: (one) => <Mark tone={toneOf(one.kind, one.result)} word={kindWord(one.kind)} />,
    },
    { id: 'actor', head: t('changes.actor'), cell: (one) => <Actor actor={one.actor} /> },
    {
      id: 'detail',
      head: t('changes.cause'),
      cell: (one) => <English title={one.detail}>{one.detail}</English>,
    },
  ];
  return (
    <>
      <Card flush>
        <ListTable
          label={t('changes.list')}
          title={t('changes.list')}
          method={Events.method.listEvents}
          input={(options) => ({
            options,
            since: timestampFromMs(range.from),
            until: timestampFromMs(range.to),
          })}
          fixed={`subject="container/${name}" and host="${host}"`}
          rows={(answer) => answer.events}
          info={(answer) => answer.info}
          rowKey={(one) => String(one.number)}
          columns={columns}
          defaultSort="number desc"
          empty={{ title: t('changes.empty'), hint: t('changes.empty.hint') }}
        />
      </Card>
      <EngineEvents host={host} name={name} range={range} />
    </>
  );
}
