// Runs of watches: when, what came of it, how long it took, what was said.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Button } from '@patternfly/react-core';
import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import { Watches, type WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { Clock } from '../../shared/When';
import { CAUSES, OutcomeMark } from './marks';
import { watchPath } from './paths';
import { deliveriesText, firingOf } from './runs';

const DEFAULTS = { from: 'now-1h', to: 'now', refresh: 30 };

interface HistoryProps {
  deployment: string;
  onOpen: (run: WatchRun) => void;
}

export function History({ deployment, onOpen }: HistoryProps) {
  const t = useT();
  const format = useFormat();
  const range = useTimeRange(DEFAULTS);
  const columns: Column<WatchRun>[] = [
    {
      id: 'at',
      head: t('time'),
      sort: 'started_at',
      largest: true,
      tight: true,
      cell: (one) => (
        <Button variant="link" isInline onClick={() => onOpen(one)}>
          <Clock at={one.startedAt} />
        </Button>
      ),
    },
    {
      id: 'watch',
      head: t('alerts.watch'),
      sort: 'watch',
      cell: (one) => <Link to={watchPath(one.watch, deployment)}>{one.watch}</Link>,
    },
    {
      id: 'outcome',
      head: t('alerts.outcome'),
      sort: 'outcome',
      cell: (one) => <OutcomeMark outcome={one.outcome} />,
    },
    { id: 'cause', head: t('alerts.cause'), sort: 'cause', cell: (one) => t(CAUSES[one.cause]) },
    {
      id: 'groups',
      head: t('alerts.groups.firing'),
      right: true,
      cell: (one) => `${format.number(firingOf(one))} / ${format.number(one.groupCount)}`,
    },
    { id: 'hits', head: t('alerts.hits'), right: true, cell: (one) => format.number(one.hits) },
    {
      id: 'duration',
      head: t('alerts.duration'),
      sort: 'duration_ms',
      largest: true,
      right: true,
      cell: (one) => format.duration(Number(one.durationMs)),
    },
    {
      id: 'messages',
      head: t('alerts.messages'),
      cell: (one) => (
        <span title={one.error}>{one.error ? `${one.errorCode} ${one.error}` : deliveriesText(one, t)}</span>
      ),
    },
  ];
  return (
    <Card flush>
      <ListTable
        label={t('alerts.history.list')}
        method={Watches.method.listRuns}
        deployment={deployment}
        input={(options) => ({
          options,
          from: timestampFromMs(range.from),
          to: timestampFromMs(range.to),
        })}
        rows={(answer) => answer.runs}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="started_at desc"
        search={{ field: 'watch', label: 'alerts.search.watch' }}
        choices={[
          {
            field: 'outcome',
            label: t('alerts.outcome'),
            values: [
              { value: 'firing', label: t('alerts.outcome.firing') },
              { value: 'error', label: t('alerts.outcome.error') },
              { value: 'ok', label: t('alerts.outcome.ok') },
            ],
          },
          {
            field: 'cause',
            label: t('alerts.cause'),
            values: [
              { value: 'schedule', label: t('alerts.cause.schedule') },
              { value: 'catch_up', label: t('alerts.cause.catchUp') },
              { value: 'manual', label: t('alerts.cause.manual') },
            ],
          },
        ]}
        tools={<TimeRangePicker defaults={DEFAULTS} noCompare />}
        empty={{ title: t('alerts.history.empty'), hint: t('alerts.history.empty.hint') }}
      />
    </Card>
  );
}
