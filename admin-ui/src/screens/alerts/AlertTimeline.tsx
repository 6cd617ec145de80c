// An alert over time: what its watch measured, beside the span that it is compared with, and what was said of it.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { useState } from 'react';
import { useMonitorCall } from '../../api/monitor';
import type { Alert } from '../../generated/wharf/monitor/v1/alerts_pb';
import { DeliveryState, Watches, type WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { useI18n, useT } from '../../i18n/i18n';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataState } from '../../shared/DataState';
import { Refused } from '../../shared/Refused';
import { movedBy } from '../../shared/search/build';
import { isoOf } from '../../shared/time/range';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { Clock } from '../../shared/When';
import { timeOf } from './evidence';
import { limitOf, type Measured, thresholdText, UNITS } from './figures';
import { DeliveryMark } from './marks';
import { groupText } from './spans';
import { alongside, drawnSpan, type Told, toldOf, type ValuePoint, valuesOf } from './timeline';

/** Each run carries what it found of up to a hundred groups. */
const MOST_RUNS = 120;
const MOST_TOLD = 30;

interface MessagesProps {
  told: readonly Told[];
  label: string;
  /** Told when there are none. */
  none?: string;
}

export function Messages({ told, label, none }: MessagesProps) {
  const t = useT();
  if (told.length === 0) return <p className="quiet">{none ?? t('alerts.messages.none')}</p>;
  return (
    <ul className="messages" aria-label={label}>
      {told.slice(0, MOST_TOLD).map(({ run, delivery, times }) => (
        <li key={`${run} ${delivery.channel} ${delivery.transition} ${delivery.state} ${delivery.subject}`}>
          <div className="line">
            <DeliveryMark state={delivery.state} />
            {delivery.state === DeliveryState.WOULD_SEND ? null : <Clock at={delivery.at} />}
            <span>
              {delivery.transition === 'recovered' ? t('alerts.state.recovered') : t('alerts.state.firing')}
            </span>
            <span className="quiet">
              {delivery.channel || (delivery.subject ? t('alerts.channel.all') : '')}
              {delivery.attempts > 1
                ? ` · ${t('alerts.delivery.attempts', { count: delivery.attempts })}`
                : ''}
              {times > 1 ? ` · ${t('alerts.delivery.times', { count: times })}` : ''}
            </span>
          </div>
          {delivery.reason ? (
            <div className="quiet" lang="en">
              {delivery.reason}
            </div>
          ) : null}
          {delivery.subject ? (
            <details>
              <summary>{delivery.subject}</summary>
              <pre className="message-body">{delivery.body}</pre>
            </details>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

interface AlertTimelineProps {
  alert: Alert;
  deployment: string;
  windowMs: number;
  measured: Measured;
}

/** The page's own time moves on, and with it what a relative span is of. */
const RENEW_S = 30;

function useRuns(watch: string, deployment: string, span: { from: number; to?: number }, enabled = true) {
  const { from, to } = span;
  return useMonitorCall(
    Watches.method.listRuns,
    {
      watch,
      from: timestampFromMs(from),
      ...(to === undefined ? {} : { to: timestampFromMs(to) }),
      options: { pageSize: MOST_RUNS, orderBy: 'started_at desc' },
    },
    { deployment, ...(to === undefined ? { every: RENEW_S * 1_000 } : {}), keep: true, enabled },
  );
}

export function AlertTimeline({ alert, deployment, windowMs, measured }: AlertTimelineProps) {
  const { t, locale } = useI18n();
  // The span that the flyout was opened for: a later look renews what is within it.
  const [usual] = useState(() => ({
    from: isoOf(timeOf(alert, windowMs, Date.now()).from),
    to: 'now',
    refresh: RENEW_S,
  }));
  const range = useTimeRange(usual);
  const { from, to, previous } = range;
  // Without an end the question stays the same and its answer is renewed; else each span is a question of its own.
  const runs = useRuns(alert.watch, deployment, range.raw.to === 'now' ? { from } : { from, to });
  const before = useRuns(alert.watch, deployment, previous ?? { from, to }, previous !== undefined);
  const comes =
    runs.isPlaceholderData || (previous !== undefined && (before.isPending || before.isPlaceholderData));
  const limit = limitOf(alert.threshold);
  // The chart's percent is of 100.
  const times = measured === 'percent' ? 100 : 1;
  const valuesIn = (found: readonly WatchRun[]) =>
    valuesOf(found, alert.group).map(
      ([at, value]): ValuePoint => [at, value === null ? null : value * times],
    );
  return (
    <>
      <section className="stack" aria-busy={comes}>
        <TimeRangePicker defaults={usual} noRefresh />
        {previous && before.error ? (
          <Refused
            error={before.error}
            title={t('state.failed')}
            retry={() => void before.refetch()}
            busy={before.isFetching}
          />
        ) : null}
        <DataState query={runs} lines={4}>
          {(answer) => {
            const points = valuesIn(answer.runs);
            const earlier = previous && before.data ? before.data.runs : undefined;
            return (
              <TimeChart
                bare
                title={t('alerts.value.overTime')}
                unit={UNITS[measured]}
                height={150}
                range={drawnSpan(answer.runs, Number(answer.info?.total ?? 0n), range)}
                onZoom={range.zoom}
                onBack={range.back}
                series={[
                  {
                    id: `alert ${alert.id}`,
                    label: groupText(alert.group) || alert.watch,
                    colour: 'var(--bar)',
                    points,
                    ...(earlier && previous
                      ? { previous: alongside(movedBy(valuesIn(earlier), from - previous.from), points) }
                      : {}),
                  },
                  ...(limit === null
                    ? []
                    : [
                        {
                          id: 'threshold',
                          label: t('alerts.threshold.is', {
                            threshold: thresholdText(alert.threshold, measured, locale),
                          }),
                          colour: 'var(--bad)',
                          points: points.map(([at]): [number, number] => [at, limit * times]),
                        },
                      ]),
                ]}
                empty={t('alerts.value.none')}
                note={t('alerts.runs.shown', { shown: answer.runs.length, total: answer.info?.total ?? 0n })}
              />
            );
          }}
        </DataState>
      </section>
      <section className="stack">
        <h3>{t('alerts.messages.about')}</h3>
        <DataState query={runs} lines={3}>
          {(answer) => (
            <Messages
              told={toldOf(answer.runs, alert.id)}
              label={t('alerts.messages.about')}
              none={t('alerts.messages.noneInSpan')}
            />
          )}
        </DataState>
      </section>
    </>
  );
}
