// When a watch would have fired, a lane for each group: bars while it fires, marks where something
// would have been said. The table below says the same.
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { useFormat } from '../../format/use-format';
import type { PreviewWatchResponse } from '../../generated/wharf/monitor/v1/watches_pb';
import { type MessageKey, useI18n } from '../../i18n/i18n';
import { Mark } from '../../shared/status/Mark';
import { Clock } from '../../shared/When';
import { type Measured, valueText } from './figures';
import { groupText, stretchesOf } from './spans';

const MOST_LANES = 12;
const MOST_ROWS = 200;
const TICKS = 5;
const DAY = 86_400_000;

const TRANSITIONS: Record<string, MessageKey> = {
  firing: 'alerts.state.firing',
  recovered: 'alerts.state.recovered',
};

interface PreviewLanesProps {
  from: number;
  to: number;
  answer: PreviewWatchResponse;
  measured: Measured;
}

export function PreviewLanes({ from, to, answer, measured }: PreviewLanesProps) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const lanes = stretchesOf(answer.events);
  const starts = answer.events.filter((one) => one.transition === 'firing').length;
  const messages = answer.events.reduce((sum, one) => sum + one.messages.length, 0);
  const place = (ms: number) => `${(Math.min(Math.max(ms - from, 0), to - from) / (to - from)) * 100}%`;
  const tick = new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(to - from > DAY ? { month: '2-digit', day: '2-digit' } : {}),
  });
  return (
    <div className="stack" data-testid="preview">
      <div className="line">
        {starts > 0 ? (
          <Mark tone="bad" word={t('alerts.preview.fired', { count: format.number(starts) })} />
        ) : (
          <Mark tone="good" word={t('alerts.preview.quiet')} />
        )}
        <span className="quiet">
          {t('alerts.preview.said', { count: format.number(messages) })} ·{' '}
          {t('alerts.preview.evaluated', {
            evaluated: format.number(answer.evaluated),
            runs: format.number(answer.runs),
          })}
        </span>
      </div>
      {answer.errors > 0 ? (
        <p className="bad-text">
          {t('alerts.preview.errors', { count: format.number(answer.errors) })}: {answer.firstError}
        </p>
      ) : null}
      {lanes.length > 0 ? (
        <>
          <div className="lanes" aria-hidden="true">
            {lanes.slice(0, MOST_LANES).map((lane) => (
              <div className="lane" key={lane.group}>
                <span className="lane-name" title={lane.group}>
                  {lane.group || t('alerts.group.all')}
                </span>
                <span className="lane-track">
                  {lane.stretches.map((stretch) => (
                    <span
                      key={stretch.from}
                      className="lane-bar"
                      style={{
                        left: place(stretch.from),
                        width: `max(3px, calc(${place(stretch.to ?? to)} - ${place(stretch.from)}))`,
                      }}
                    />
                  ))}
                  {lane.messages.map((at) => (
                    <span key={at} className="lane-message" style={{ left: place(at) }} />
                  ))}
                </span>
              </div>
            ))}
            <div className="lane lane-axis">
              <span className="lane-name" />
              <span className="lane-ticks">
                {Array.from({ length: TICKS }, (_, at) => {
                  const ms = from + ((to - from) * at) / (TICKS - 1);
                  return <span key={ms}>{tick.format(ms)}</span>;
                })}
              </span>
            </div>
          </div>
          {lanes.length > MOST_LANES ? (
            <p className="quiet">{t('alerts.preview.lanes', { shown: MOST_LANES, total: lanes.length })}</p>
          ) : null}
          <p className="quiet lane-legend">
            <span className="lane-bar key" aria-hidden="true" /> {t('alerts.preview.bar')}
            <span className="lane-message key" aria-hidden="true" /> {t('alerts.preview.mark')}
          </p>
          <details>
            <summary>{t('alerts.preview.table', { count: answer.events.length })}</summary>
            <div className="rows">
              <table className="grid" aria-label={t('alerts.preview')}>
                <thead>
                  <tr>
                    <th scope="col">{t('time')}</th>
                    <th scope="col">{t('alerts.group')}</th>
                    <th scope="col">{t('changes.kind')}</th>
                    <th scope="col" className="right">
                      {t('alerts.value')}
                    </th>
                    <th scope="col" className="right">
                      {t('alerts.messages')}
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {answer.events.slice(-MOST_ROWS).map((event) => (
                    <tr
                      key={`${event.at ? timestampMs(event.at) : 0} ${groupText(event.group)} ${event.transition}`}
                    >
                      <td className="tight">
                        <Clock at={event.at} />
                      </td>
                      <td>{groupText(event.group) || t('alerts.group.all')}</td>
                      <td>{t(TRANSITIONS[event.transition] ?? 'alerts.preview.still')}</td>
                      <td className="right">{valueText(event.value, measured, locale)}</td>
                      <td className="right">{event.messages.length}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </details>
        </>
      ) : null}
    </div>
  );
}
