// The processes of a host that use the most, now and over time.
import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { useMemo } from 'react';
import { useCall } from '../../api/call';
import { SYSTEM, useSearch } from '../../api/monitor';
import { useFormat } from '../../format/use-format';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { SearchState } from '../../shared/DataNone';
import { MetricChart } from '../../shared/metrics/MetricChart';
import { ContainerLink } from '../../shared/names/links';
import { useNameWord } from '../../shared/names/stable-names';
import { ShowQuery } from '../../shared/query/ShowQuery';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { PROCESS_STATES } from './process-states';
import {
  ofHost,
  ordered,
  PROCESSES,
  type Process,
  type ProcessOrder,
  processesBody,
  processesOf,
  processMetrics,
  RECENT_MS,
} from './queries';

function Table({
  processes,
  names,
  host,
}: {
  processes: Process[];
  names: Map<string, string>;
  host: string;
}) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  return (
    <section
      className="rows"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={t('host.processes')}
    >
      <table className="grid" aria-label={t('host.processes')}>
        <thead>
          <tr>
            <th scope="col" className="right">
              {t('process.pid')}
            </th>
            <th scope="col">{t('process.name')}</th>
            <th scope="col" className="right">
              {t('cpu')}
            </th>
            <th scope="col" className="right">
              {t('memory')}
            </th>
            <th scope="col">{t('container')}</th>
            <th scope="col">{t('login.user')}</th>
            <th scope="col">{t('state')}</th>
            <th scope="col" className="right">
              {t('process.threads')}
            </th>
            <th scope="col" className="right">
              {t('process.files')}
            </th>
            <th scope="col" className="right">
              {t('age')}
            </th>
            <th scope="col">{t('process.command')}</th>
          </tr>
        </thead>
        <tbody>
          {processes.map((one) => {
            const name = names.get(one.containerId);
            return (
              <tr key={one.pid}>
                <td className="right tight">{one.pid}</td>
                <td>{one.name}</td>
                <td className="right tight">{one.cpu === null ? '–' : `${format.number(one.cpu, 1)} %`}</td>
                <td className="right tight">{format.bytes(one.memory)}</td>
                <td>
                  {name ? (
                    <ContainerLink host={host} name={name} />
                  ) : (
                    <span className="quiet mono">{one.containerId.slice(0, 12) || '–'}</span>
                  )}
                </td>
                <td>{one.user || '–'}</td>
                <td>{word(PROCESS_STATES, one.state)}</td>
                <td className="right tight">{format.number(one.threads)}</td>
                <td className="right tight">{one.files === null ? '–' : format.number(one.files)}</td>
                <td className="right tight">
                  {one.started ? format.age(Date.now() - Date.parse(one.started)) : '–'}
                </td>
                <td className="mono" title={one.command}>
                  {one.command}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

export function HostProcesses({ host, range }: { host: string; range: TimeRange }) {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const by: ProcessOrder = params.get('by') === 'memory' ? 'memory' : 'cpu';
  const span = { from: Math.max(range.from, range.to - RECENT_MS), to: range.to };
  const body = processesBody(host, span);
  const query = useSearch({ deployment: SYSTEM, indices: [PROCESSES], body }, { keep: true });
  const containers = useCall(
    Containers.method.listContainers,
    { options: { pageSize: 1_000, filter: `host="${host}"` } },
    { every: 30_000 },
  );
  const names = useMemo(
    () => new Map(containers.data?.containers.map((one) => [one.id, one.name])),
    [containers.data],
  );
  const order = (next: ProcessOrder) =>
    setParams(
      (old) => {
        const kept = new URLSearchParams(old);
        if (next === 'memory') kept.set('by', next);
        else kept.delete('by');
        return kept;
      },
      { replace: true },
    );
  const metrics = processMetrics(host, { cpu: t('cpu'), memory: t('memory') });
  return (
    <>
      <Card
        flush
        title={t('host.processes')}
        actions={
          <>
            <span className="quiet">{t('host.processes.note')}</span>
            <ToggleGroup aria-label={t('host.processes.by')} isCompact>
              <ToggleGroupItem text={t('cpu')} isSelected={by === 'cpu'} onChange={() => order('cpu')} />
              <ToggleGroupItem
                text={t('memory')}
                isSelected={by === 'memory'}
                onChange={() => order('memory')}
              />
            </ToggleGroup>
            <ShowQuery deployment={SYSTEM} indices={[PROCESSES]} body={body} of={t('host.processes')} />
          </>
        }
      >
        <SearchState
          query={query}
          lines={8}
          indices={[PROCESSES]}
          filter={ofHost(host)}
          deployment={SYSTEM}
          onShow={range.zoom}
        >
          {(answer) => <Table processes={ordered(processesOf(answer), by)} names={names} host={host} />}
        </SearchState>
      </Card>
      <div className="charts">
        <MetricChart title={t('host.processes.cpu')} unit="percent" metric={metrics.cpu} range={range} />
        <MetricChart title={t('host.processes.memory')} unit="bytes" metric={metrics.memory} range={range} />
      </div>
    </>
  );
}
