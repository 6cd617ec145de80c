// What appeared, vanished, restarted, moved, and why: over time, and as a list with the newest first.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useCall } from '../../api/call';
import { Events } from '../../generated/wharf/v1/events_pb';
import { Platform } from '../../generated/wharf/v1/platform_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import { optionsOf, readState, writeState } from '../../shared/list/list-state';
import { PageHead } from '../../shared/PageHead';
import { useEventKind } from '../../shared/status/event-kinds';
import { goesOn } from '../../shared/time/range';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { ChangeChart } from './ChangeChart';
import { useChangeColumns } from './columns';
import { endOf } from './counts';
import { filterOf, WHATS, type What, whatOf } from './subjects';
import { useCounts } from './use-counts';

const WORDS: Record<What, MessageKey> = {
  containers: 'changes.containers',
  instances: 'changes.instances',
  orders: 'changes.orders',
  hosts: 'changes.hosts',
  deployments: 'changes.deployments',
  plans: 'changes.plans',
  all: 'changes.all',
};

const DEFAULTS = { from: 'now-1h', to: 'now', refresh: 10 };
const SORT = 'number desc';
const SEARCHED = 'subject';

export default function Changes() {
  const t = useT();
  const kindWord = useEventKind();
  const [params, setParams] = useSearchParams();
  const range = useTimeRange(DEFAULTS);
  const status = useCall(Platform.method.getStatus, {});
  const platform = status.data?.name ?? '';
  const what = whatOf(params.get('what'));
  const fixed = filterOf(what, platform);
  const columns = useChangeColumns(what, platform);
  const state = readState(params, '', SORT);
  const { kind, ...others } = state.filters;
  // The chart shows every kind of what the table is narrowed to.
  const counted = useCounts(
    optionsOf({ ...state, filters: others }, SEARCHED, fixed).filter ?? '',
    range,
    kind,
  );
  const choose = (chosen: What) =>
    setParams((old) => {
      const next = writeState(old, '', { 'f.kind': '' });
      next.set('what', chosen);
      return next;
    });
  const chooseKind = (one: string | undefined) =>
    setParams((old) => writeState(old, '', { 'f.kind': one ?? '' }));
  const kinds = [...new Set([...counted.kinds, ...(kind ? [kind] : [])])];
  return (
    <>
      <PageHead title={t('nav.changes')} actions={<TimeRangePicker defaults={DEFAULTS} />} />
      <ChangeChart counted={counted} range={range} chosen={kind} onChoose={chooseKind} />
      <Card flush>
        <ListTable
          label={t('changes.list')}
          method={Events.method.listEvents}
          input={(options) => ({
            options,
            since: timestampFromMs(counted.cut.from),
            until: timestampFromMs(endOf(counted.cut, range.to, goesOn(range.raw))),
          })}
          rows={(answer) => answer.events}
          info={(answer) => answer.info}
          rowKey={(one) => String(one.number)}
          columns={columns}
          defaultSort={SORT}
          search={{ field: SEARCHED, label: 'changes.search' }}
          {...(fixed ? { fixed } : {})}
          choices={[
            {
              field: 'kind',
              label: t('changes.kind'),
              values: kinds.map((value) => ({ value, label: kindWord(value) })),
            },
          ]}
          tools={
            <FormSelect
              aria-label={t('changes.what')}
              value={what}
              onChange={(_, value) => choose(whatOf(value))}
            >
              {WHATS.map((value) => (
                <FormSelectOption key={value} value={value} label={t(WORDS[value])} />
              ))}
            </FormSelect>
          }
          empty={{ title: t('changes.empty'), hint: t('changes.empty.hint') }}
        />
      </Card>
    </>
  );
}
