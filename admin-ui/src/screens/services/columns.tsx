import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import type { ServiceSummary } from '../../generated/wharf/monitor/v1/services_pb';
import { useI18n } from '../../i18n/i18n';
import { valueText } from '../../shared/chart/axis';
import type { Column } from '../../shared/list/Rows';
import { HostLink } from '../../shared/names/links';
import { Mark } from '../../shared/status/Mark';
import { KindName, servicePath } from './kinds';

/** Hosts that are named; more are counted. */
const HOSTS_NAMED = 2;
/** From this share of errors on a service is marked. */
export const BAD_SHARE = 0.01;

interface ErrorShareProps {
  one: Pick<ServiceSummary, 'errors' | 'errorRatio'>;
}

/** The share of requests that were answered with an error; a mark where it is one to look at. */
export function ErrorShare({ one }: ErrorShareProps) {
  const { locale } = useI18n();
  if (one.errorRatio === undefined) return <span className="quiet">–</span>;
  const text = valueText(one.errorRatio * 100, 'percent', locale);
  if (one.errorRatio >= BAD_SHARE) return <Mark tone="bad" word={text} />;
  return <span className={one.errors === 0n ? 'quiet' : undefined}>{text}</span>;
}

/** Of so few requests the digits say nothing. */
export function rateText(perSecond: number, locale: string): string {
  const least = 0.01;
  if (perSecond > 0 && perSecond < least) return `< ${valueText(least, 'per second', locale)}`;
  return valueText(perSecond, 'per second', locale);
}

/** The parts of the URL that say of which span a service is shown. */
export function useServiceColumns(windowMs: number, span: string): Column<ServiceSummary>[] {
  const { t, locale } = useI18n();
  const format = useFormat();
  const ms = (value: number | undefined) => valueText(value ?? null, 'ms', locale);
  return [
    {
      id: 'name',
      head: t('services.service'),
      sort: 'name',
      cell: (one) => <Link to={servicePath(one, span)}>{one.name}</Link>,
    },
    { id: 'kind', head: t('services.kind'), sort: 'kind', cell: (one) => <KindName kind={one.kind} /> },
    {
      id: 'requests',
      head: t('services.rate'),
      sort: 'requests',
      largest: true,
      right: true,
      cell: (one) =>
        one.requests === undefined ? (
          <span className="quiet">–</span>
        ) : (
          <span title={format.number(one.requests)}>
            {rateText((Number(one.requests) * 1_000) / windowMs, locale)}
          </span>
        ),
    },
    {
      id: 'errors',
      head: t('services.errorShare'),
      sort: 'error_ratio',
      largest: true,
      right: true,
      cell: (one) => <ErrorShare one={one} />,
    },
    { id: 'p50', head: 'p50', right: true, cell: (one) => ms(one.latencyP50Ms) },
    {
      id: 'p95',
      head: 'p95',
      sort: 'latency_p95_ms',
      largest: true,
      right: true,
      cell: (one) => ms(one.latencyP95Ms),
    },
    { id: 'p99', head: 'p99', right: true, cell: (one) => ms(one.latencyP99Ms) },
    {
      id: 'errorLines',
      head: t('services.errorLines'),
      sort: 'error_lines',
      largest: true,
      right: true,
      cell: (one) => (
        <span className={one.errorLines === 0n ? 'quiet' : undefined}>{format.number(one.errorLines)}</span>
      ),
    },
    {
      id: 'lines',
      head: t('services.lines'),
      sort: 'lines',
      largest: true,
      right: true,
      cell: (one) => format.number(one.lines),
    },
    {
      id: 'restarts',
      head: t('services.restarts'),
      sort: 'restarts',
      largest: true,
      right: true,
      cell: (one) => (
        <span className={one.restarts === 0n ? 'quiet' : undefined}>{format.number(one.restarts)}</span>
      ),
    },
    {
      id: 'cpu',
      head: t('cpu'),
      sort: 'cpu_percent',
      largest: true,
      right: true,
      cell: (one) => valueText(one.cpuPercent ?? null, 'percent', locale),
    },
    {
      id: 'memory',
      head: t('memory'),
      sort: 'memory_bytes',
      largest: true,
      right: true,
      cell: (one) => (one.memoryBytes === undefined ? '–' : format.bytes(one.memoryBytes)),
    },
    {
      id: 'containers',
      head: t('services.containers'),
      right: true,
      cell: (one) => format.number(one.containers),
    },
    { id: 'hosts', head: t('services.hosts'), cell: (one) => <HostNames hosts={one.hosts} /> },
  ];
}

export function HostNames({ hosts }: { hosts: readonly string[] }) {
  if (hosts.length === 0) return <span className="quiet">–</span>;
  return (
    <span title={hosts.join(', ')}>
      {hosts.slice(0, HOSTS_NAMED).map((host, at) => (
        <span key={host}>
          {at > 0 ? ', ' : ''}
          <HostLink host={host} />
        </span>
      ))}
      {hosts.length > HOSTS_NAMED ? <span className="quiet"> +{hosts.length - HOSTS_NAMED}</span> : null}
    </span>
  );
}
