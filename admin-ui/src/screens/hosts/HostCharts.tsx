// What a host did over time.
import { useFormat } from '../../format/use-format';
import type { Allocator } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { MetricChart } from '../../shared/metrics/MetricChart';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { hostMetrics, networkMetrics } from './queries';

interface HostChartsProps {
  host: string;
  range: TimeRange;
  allocator?: Allocator | undefined;
}

export function HostCharts({ host, range, allocator }: HostChartsProps) {
  const t = useT();
  const format = useFormat();
  const facts = allocator?.facts;
  const metrics = hostMetrics(host, {
    user: t('host.cpu.user'),
    system: t('host.cpu.system'),
    iowait: t('host.cpu.iowait'),
    steal: t('host.cpu.steal'),
    used: t('memory.inUse'),
    swap: t('host.swap'),
    load1: t('host.load.minutes', { minutes: 1 }),
    load5: t('host.load.minutes', { minutes: 5 }),
    load15: t('host.load.minutes', { minutes: 15 }),
  });
  const cores = facts ? t('host.cpu.cores', { cores: facts.cpus }) : undefined;
  return (
    <div className="charts">
      <MetricChart title={t('cpu')} unit="percent" metric={metrics.cpu} range={range} stacked note={cores} />
      <MetricChart
        title={t('memory')}
        unit="bytes"
        metric={metrics.memory}
        range={range}
        note={facts ? t('host.of', { whole: format.bytes(facts.memoryBytes) }) : undefined}
      />
      <MetricChart title={t('host.load')} unit="count" metric={metrics.load} range={range} note={cores} />
      <MetricChart title={t('host.filesystems')} unit="percent" metric={metrics.filesystem} range={range} />
      <MetricChart title={t('host.reading')} unit="bytes/s" metric={metrics.reading} range={range} />
      <MetricChart title={t('host.writing')} unit="bytes/s" metric={metrics.writing} range={range} />
      <MetricChart title={t('host.received')} unit="bytes/s" metric={metrics.received} range={range} />
      <MetricChart title={t('host.sent')} unit="bytes/s" metric={metrics.sent} range={range} />
    </div>
  );
}

/** Interface by interface, and its connections. */
export function HostNetwork({ host, range }: HostChartsProps) {
  const t = useT();
  const metrics = networkMetrics(host, {
    established: t('host.sockets.established'),
    listening: t('host.sockets.listening'),
    waiting: t('host.sockets.waiting'),
  });
  return (
    <div className="charts">
      <MetricChart title={t('host.received')} unit="bytes/s" metric={metrics.received} range={range} />
      <MetricChart title={t('host.sent')} unit="bytes/s" metric={metrics.sent} range={range} />
      <MetricChart title={t('host.packets')} unit="per second" metric={metrics.packets} range={range} />
      <MetricChart title={t('host.dropped')} unit="per second" metric={metrics.lost} range={range} />
      <MetricChart title={t('host.sockets')} unit="count" metric={metrics.sockets} range={range} />
    </div>
  );
}
