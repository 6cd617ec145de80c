// One run of a watch: the search as it was sent, what it found of each group, what was said.
import { useMonitorCall } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Watches, type WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../../shared/English';
import { Facts } from '../../shared/Facts';
import { Flyout } from '../../shared/Flyout';
import { Clock } from '../../shared/When';
import { Messages } from './AlertTimeline';
import { measuredBy } from './figures';
import { CAUSES, OutcomeMark } from './marks';
import { RunGroups } from './RunGroups';

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

interface RunFlyoutProps {
  run: WatchRun;
  deployment: string;
  onClose: () => void;
}

export function RunFlyout({ run, deployment, onClose }: RunFlyoutProps) {
  const t = useT();
  const format = useFormat();
  const watch = useMonitorCall(Watches.method.getWatch, { name: run.watch }, { deployment });
  return (
    <Flyout title={t('alerts.run.of', { watch: run.watch })} label={t('alerts.run')} onClose={onClose}>
      <Facts
        facts={[
          [t('alerts.outcome'), <OutcomeMark key="outcome" outcome={run.outcome} />],
          [t('time'), <Clock key="at" at={run.startedAt} />],
          [t('alerts.cause'), t(CAUSES[run.cause])],
          [t('alerts.duration'), format.duration(Number(run.durationMs))],
          [t('alerts.hits'), format.number(run.hits)],
          [t('alerts.indices'), run.indices.join(', ')],
        ]}
      />
      {run.error ? (
        <p>
          {run.errorCode ? <code>{run.errorCode} </code> : null}
          <English>{run.error}</English>
        </p>
      ) : null}
      <section className="stack">
        <h3>{t('alerts.groups')}</h3>
        <RunGroups run={run} measured={measuredBy(watch.data?.spec)} />
      </section>
      <section className="stack">
        <h3>{t('alerts.messages')}</h3>
        <Messages
          label={t('alerts.messages')}
          told={run.deliveries.map((delivery) => ({ run: delivery.alertId, delivery, times: 1 }))}
        />
      </section>
      {run.queryJson ? (
        <section className="stack">
          <h3>{t('alerts.query.sent')}</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre className="message-body" tabIndex={0}>
            {pretty(run.queryJson)}
          </pre>
        </section>
      ) : null}
    </Flyout>
  );
}
