// What fires now, the latest first; those that are over on demand.
import { Button, Switch } from '@patternfly/react-core';
import { Link } from 'react-router';
import { useMonitorCall } from '../../api/monitor';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { type Alert, AlertState, Alerts } from '../../generated/wharf/monitor/v1/alerts_pb';
import { Watches, type WatchSpec } from '../../generated/wharf/monitor/v1/watches_pb';
import { useI18n } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { Card } from '../../shared/Card';
import { ListTable } from '../../shared/list/ListTable';
import { writeState } from '../../shared/list/list-state';
import type { Column } from '../../shared/list/Rows';
import { Refused } from '../../shared/Refused';
import { useSearchParams } from '../../shared/use-search-params';
import { Age, useNow } from '../../shared/When';
import { useHandle } from './api';
import { discoverPath, linesBehind } from './evidence';
import { measuredBy, thresholdText, valueText } from './figures';
import { AlertMark, SeverityMark } from './marks';
import { watchPath } from './paths';
import { groupText } from './spans';

const MINUTE = 60_000;
/** Watches whose searches the links of a page need. */
const MOST_WATCHES = 500;

/** The watches by name, for what an alert does not say itself. */
function useSpecs(deployment: string): Map<string, WatchSpec> {
  const watches = useMonitorCall(
    Watches.method.listWatches,
    { options: { pageSize: MOST_WATCHES, orderBy: 'name' } },
    { deployment, every: MINUTE },
  );
  return new Map(watches.data?.watches.flatMap((one) => (one.spec ? [[one.name, one.spec] as const] : [])));
}

interface AlertListProps {
  deployment: string;
  onOpen: (id: string) => void;
}

export function AlertList({ deployment, onOpen }: AlertListProps) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const rights = useRights();
  const [params, setParams] = useSearchParams();
  const recovered = params.get('recovered') === '1';
  const specs = useSpecs(deployment);
  const now = useNow(MINUTE);
  const acknowledge = useHandle(Alerts.method.acknowledgeAlert);
  const whyNot = (alert: Alert) =>
    !rights.manages
      ? t('why.manager')
      : alert.state === AlertState.FIRING
        ? undefined
        : alert.state === AlertState.ACKNOWLEDGED
          ? t('alerts.why.acknowledged')
          : t('alerts.why.recovered');
  const columns: Column<Alert>[] = [
    {
      id: 'state',
      head: t('state'),
      sort: 'state',
      tight: true,
      cell: (one) => <AlertMark alert={one} now={now} />,
    },
    {
      id: 'severity',
      head: t('alerts.severity'),
      sort: 'severity',
      tight: true,
      cell: (one) => <SeverityMark severity={one.severity} />,
    },
    {
      id: 'summary',
      head: t('alerts.summary'),
      sort: 'summary',
      cell: (one) => (
        <Button
          variant="link"
          isInline
          className="alert-summary"
          title={one.summary}
          onClick={() => onOpen(one.id)}
        >
          {one.summary || `${one.watch} ${groupText(one.group)}`}
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
      id: 'value',
      head: t('alerts.value'),
      right: true,
      cell: (one) => {
        const measured = measuredBy(specs.get(one.watch));
        return (
          <span title={`${one.value} ${one.threshold}`}>
            <strong>{valueText(one.value, measured, locale)}</strong>{' '}
            <span className="quiet">{thresholdText(one.threshold, measured, locale)}</span>
          </span>
        );
      },
    },
    {
      id: 'since',
      head: t('alerts.since'),
      sort: 'since',
      largest: true,
      right: true,
      tight: true,
      cell: (one) => <Age at={one.since} />,
    },
    {
      id: 'messages',
      head: t('alerts.messages'),
      sort: 'messages',
      largest: true,
      right: true,
      tight: true,
      cell: (one) => format.number(one.messages),
    },
    {
      id: 'actions',
      head: '',
      right: true,
      tight: true,
      cell: (one) => {
        const spec = specs.get(one.watch);
        return (
          <span className="row-actions">
            {spec ? (
              <Link
                to={discoverPath(deployment, linesBehind(spec, one, now))}
                aria-label={`${t('alerts.lines')}: ${one.summary}`}
              >
                {t('alerts.lines')}
              </Link>
            ) : null}
            <ActionButton
              variant="link"
              isInline
              aria-label={`${t('alerts.acknowledge')}: ${one.summary}`}
              whyNot={whyNot(one)}
              onClick={() => acknowledge.mutate({ id: one.id })}
            >
              {t('alerts.acknowledge')}
            </ActionButton>
          </span>
        );
      },
    },
  ];
  return (
    <Card flush>
      {acknowledge.error ? <Refused error={acknowledge.error} /> : null}
      <ListTable
        label={t('alerts.list')}
        method={Alerts.method.listAlerts}
        deployment={deployment}
        input={(options) => ({ options, includeRecovered: recovered })}
        rows={(answer) => answer.alerts}
        info={(answer) => answer.info}
        rowKey={(one) => one.id}
        columns={columns}
        defaultSort="since desc"
        search={{ field: 'summary', label: 'alerts.search' }}
        choices={[
          {
            field: 'severity',
            label: t('alerts.severity'),
            values: [
              { value: 'critical', label: t('alerts.severity.critical') },
              { value: 'warning', label: t('alerts.severity.warning') },
              { value: 'info', label: t('alerts.severity.info') },
            ],
          },
          {
            field: 'state',
            label: t('state'),
            values: [
              { value: 'firing', label: t('alerts.state.firing') },
              { value: 'acknowledged', label: t('alerts.state.acknowledged') },
              ...(recovered ? [{ value: 'recovered', label: t('alerts.state.recovered') }] : []),
            ],
          },
        ]}
        tools={
          <Switch
            id="recovered"
            label={t('alerts.recovered.too')}
            isChecked={recovered}
            onChange={(_, on) =>
              setParams((old) => {
                const next = writeState(old, '', on ? {} : { 'f.state': '' });
                if (on) next.set('recovered', '1');
                else next.delete('recovered');
                return next;
              })
            }
          />
        }
        every={10_000}
        empty={{ title: t('alerts.empty'), hint: t('alerts.empty.hint') }}
      />
    </Card>
  );
}
