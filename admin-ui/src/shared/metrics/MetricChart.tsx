// A chart of what collectors measured, over the span of the page and beside the one that it is compared
// with.
import { type ReactNode, useMemo } from 'react';
import { SYSTEM, useSearch } from '../../api/monitor';
import { useT } from '../../i18n/i18n';
import { TimeChart } from '../chart/TimeChart';
import type { Unit } from '../chart/types';
import { DataNone, PartialData } from '../DataNone';
import { DataState } from '../DataState';
import { Empty } from '../Empty';
import { ShowQuery } from '../query/ShowQuery';
import type { TimeRange } from '../time/useTimeRange';
import './metrics.css';
import { bodyOf, type Metric, previousOf, seriesOf } from './query';

interface MetricChartProps {
  title: string;
  unit: Unit;
  metric: Metric;
  range: TimeRange;
  deployment?: string;
  stacked?: boolean;
  height?: number;
  note?: ReactNode;
  /** Why there may be nothing, where that is known. */
  because?: string | undefined;
}

export function MetricChart(props: MetricChartProps) {
  const t = useT();
  const { metric, range, deployment = SYSTEM } = props;
  const { previous, bucketMs } = range;
  const indices = [metric.stream];
  const body = bodyOf(metric, range);
  const now = useSearch({ deployment, indices, body }, { keep: true });
  const before = useSearch(
    { deployment, indices, body: previous ? bodyOf(metric, { ...previous, bucketMs }) : {} },
    { keep: true, enabled: previous !== undefined },
  );
  const by = previous ? range.from - previous.from : 0;
  const earlier = previous ? before.data : undefined;
  // By what it asks for: the object itself is another one each time.
  const asked = JSON.stringify(metric);
  const series = useMemo(() => {
    const same = JSON.parse(asked) as Metric;
    const then = by > 0 ? previousOf(same, earlier, by) : undefined;
    return seriesOf(same, now.data).map((one) => {
      const points = then?.get(one.id);
      return points ? { ...one, previous: points } : one;
    });
  }, [asked, now.data, earlier, by]);
  return (
    <div
      className={now.data ? 'metric' : 'metric card'}
      aria-busy={now.isPlaceholderData || (previous !== undefined && before.isPending)}
    >
      <DataState query={now} lines={5}>
        {(answer) => (
          <>
            <PartialData answers={[answer, earlier]} />
            <TimeChart
              title={props.title}
              unit={props.unit}
              series={series}
              range={{ from: range.from, to: range.to }}
              height={props.height ?? 150}
              onZoom={range.zoom}
              onBack={range.back}
              {...(props.stacked ? { stacked: true } : {})}
              {...(props.note ? { note: props.note } : {})}
              actions={<ShowQuery deployment={deployment} indices={indices} body={body} of={props.title} />}
              empty={
                props.because ? (
                  <Empty title={t('data.none')}>{props.because}</Empty>
                ) : (
                  <DataNone
                    indices={indices}
                    filter={metric.filter}
                    deployment={deployment}
                    onShow={range.zoom}
                  />
                )
              }
            />
          </>
        )}
      </DataState>
    </div>
  );
}
