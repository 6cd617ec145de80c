// How many changes of each kind there were over time. A press on a kind shows it alone, here and in the table.
import { Events } from '../../generated/wharf/v1/events_pb';
import { useI18n } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { momentText } from '../../shared/chart/axis';
import { TimeChart } from '../../shared/chart/TimeChart';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { Refused } from '../../shared/Refused';
import type { TimeRange } from '../../shared/time/useTimeRange';
import { OTHERS } from './counts';
import type { useCounts } from './use-counts';

const HEIGHT = 150;

interface ChangeChartProps {
  counted: ReturnType<typeof useCounts>;
  range: TimeRange;
  chosen: string | undefined;
  onChoose: (kind: string | undefined) => void;
}

export function ChangeChart({ counted, range, chosen, onChoose }: ChangeChartProps) {
  const { t, locale } = useI18n();
  const { query, before, input, cut, series, heldSince } = counted;
  const forgotten = heldSince !== undefined && heldSince > cut.from;
  return (
    <div className={query.data ? 'metric' : 'metric card'} aria-busy={query.isPlaceholderData}>
      {before?.error ? (
        <Refused
          error={before.error}
          title={t('time.compare.failed')}
          retry={() => void before.refetch()}
          busy={before.isFetching}
        />
      ) : null}
      <DataState query={query} lines={5}>
        {() => (
          <TimeChart
            title={t('changes.overTime')}
            unit="count"
            bars
            stacked
            series={series}
            height={HEIGHT}
            range={{ from: cut.from, to: cut.to }}
            onZoom={range.zoom}
            onBack={range.back}
            // Many kinds together are none that the table could be asked for.
            alone={{ id: chosen, onChoose: (kind) => kind !== OTHERS && onChoose(kind) }}
            actions={<ApiRequest plain method={Events.method.countEvents} input={input} />}
            {...(forgotten
              ? { note: t('changes.heldSince', { at: momentText(heldSince, locale, Date.now()) }) }
              : {})}
            empty={<Empty title={t('changes.empty')}>{t('changes.empty.hint')}</Empty>}
          />
        )}
      </DataState>
    </div>
  );
}
