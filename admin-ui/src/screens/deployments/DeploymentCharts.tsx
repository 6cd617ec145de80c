// What the instances of a deployment used and did over time, one line each.
import type { Deployment } from '../../generated/wharf/v1/deployments_pb';
import { useT } from '../../i18n/i18n';
import { MetricChart } from '../../shared/metrics/MetricChart';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { deploymentMetrics } from './queries';

const DEFAULTS = { from: 'now-1h', to: 'now', refresh: 30 };

export function DeploymentCharts({ deployment }: { deployment: Deployment }) {
  const t = useT();
  const range = useTimeRange(DEFAULTS);
  const metrics = deploymentMetrics(deployment.id);
  return (
    <section className="stack" aria-label={t('deployment.charts')}>
      <div className="section-head">
        <h2>{t('deployment.charts')}</h2>
        <span className="spacer" />
        <TimeRangePicker defaults={DEFAULTS} />
      </div>
      <div className="charts">
        <MetricChart title={t('deployment.memory')} unit="bytes" metric={metrics.memory} range={range} />
        <MetricChart
          title={t('deployment.cpu')}
          unit="percent"
          metric={metrics.cpu}
          range={range}
          note={t('container.cpu.note')}
        />
        <MetricChart
          title={t('deployment.written')}
          unit="per second"
          metric={metrics.written}
          range={range}
        />
        <MetricChart
          title={t('deployment.searched')}
          unit="per second"
          metric={metrics.searched}
          range={range}
        />
        <MetricChart
          title={t('deployment.documents')}
          unit="count"
          metric={metrics.documents}
          range={range}
        />
        <MetricChart title={t('deployment.disk')} unit="bytes" metric={metrics.disk} range={range} />
      </div>
    </section>
  );
}
