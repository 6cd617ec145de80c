// What a container used over time.
import type { JsonObject } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import type { Container } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import { MetricChart } from '../../shared/metrics/MetricChart';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { containerMetrics } from './queries';

interface ContainerChartsProps {
  filter: readonly JsonObject[];
  range: TimeRange;
  /** As it is now, when it is there. */
  container?: Container | undefined;
}

export function ContainerCharts({ filter, range, container }: ContainerChartsProps) {
  const t = useT();
  const format = useFormat();
  const metrics = containerMetrics(filter, {
    used: t('memory.inUse'),
    total: t('container.cpu.total'),
    user: t('container.cpu.user'),
    kernel: t('container.cpu.kernel'),
    throttled: t('container.throttled'),
    received: t('container.received'),
    sent: t('container.sent'),
    read: t('container.read'),
    written: t('container.written'),
  });
  const limit = container?.sample?.memoryLimitBytes;
  const { sample } = container ?? {};
  // Such a one is not measured by itself.
  const silent = sample && sample.networkInBytes === 0n && sample.networkOutBytes === 0n;
  const ofHost = silent ? t('container.network.host') : undefined;
  return (
    <div className="charts">
      <MetricChart
        title={t('memory')}
        unit="bytes"
        metric={metrics.memory}
        range={range}
        note={limit ? t('container.limit', { limit: format.bytes(limit) }) : undefined}
      />
      <MetricChart
        title={t('cpu')}
        unit="percent"
        metric={metrics.cpu}
        range={range}
        note={t('container.cpu.note')}
      />
      <MetricChart
        title={t('container.network')}
        unit="bytes/s"
        metric={metrics.network}
        range={range}
        because={ofHost}
      />
      <MetricChart title={t('disk')} unit="bytes/s" metric={metrics.disk} range={range} />
      <MetricChart
        title={t('container.throttled')}
        unit="percent"
        metric={metrics.throttling}
        range={range}
        note={t('container.throttled.note')}
        because={t('container.throttled.none')}
      />
    </div>
  );
}
