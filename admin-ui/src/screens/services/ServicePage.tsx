// One service: its traffic, what it said when something went wrong, what its containers use.
import type { ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import { useDeployment, useMonitorCall } from '../../api/monitor';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import {
  Services as Api,
  ServiceKind,
  type ServiceSummary,
} from '../../generated/wharf/monitor/v1/services_pb';
import { useI18n } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { valueText } from '../../shared/chart/axis';
import { DataState } from '../../shared/DataState';
import { DeploymentChoice } from '../../shared/DeploymentChoice';
import { Facts } from '../../shared/Facts';
import { MetricChart } from '../../shared/metrics/MetricChart';
import { DeploymentLink } from '../../shared/names/links';
import { PageHead } from '../../shared/PageHead';
import { TimeRangePicker } from '../../shared/time/TimeRangePicker';
import { useTimeRange } from '../../shared/time/useTimeRange';
import { useSearchParams } from '../../shared/use-search-params';
import { ErrorShare, HostNames, rateText } from './columns';
import { ErrorLines } from './ErrorLines';
import { FailedRequests } from './FailedRequests';
import { KindName, kindOf } from './kinds';
import { LineChart } from './LineChart';
import { Paths } from './Paths';
import { ofService, usageOf } from './queries';
import { ServiceLines } from './ServiceLines';
import { spanOf, TIMES } from './Services';
import { servicesInput, windowOf } from './summary';
import { Traffic } from './Traffic';

function Summary({ one, windowMs }: { one: ServiceSummary; windowMs: number }) {
  const { t, locale } = useI18n();
  const format = useFormat();
  const { seesPlatform } = useRights();
  const ms = (value: number | undefined) => valueText(value ?? null, 'ms', locale);
  const traffic: [string, ReactNode][] =
    one.requests === undefined
      ? []
      : [
          [t('services.rate'), rateText((Number(one.requests) * 1_000) / windowMs, locale)],
          [t('services.errorShare'), <ErrorShare key="errors" one={one} />],
          [
            `${t('services.latency')} p50 / p95 / p99`,
            [one.latencyP50Ms, one.latencyP95Ms, one.latencyP99Ms].map(ms).join(' / '),
          ],
        ];
  return (
    <Facts
      facts={[
        [
          t('services.kind'),
          one.kind === ServiceKind.DEPLOYMENT ? (
            <DeploymentLink key="kind" id={one.name} name={t('services.kind.deployment')} />
          ) : (
            <KindName key="kind" kind={one.kind} />
          ),
        ],
        ...traffic,
        [t('services.errorLines'), `${format.number(one.errorLines)} / ${format.number(one.lines)}`],
        [t('services.restarts'), format.number(one.restarts)],
        [t('cpu'), valueText(one.cpuPercent ?? null, 'percent', locale)],
        [t('memory'), one.memoryBytes === undefined ? '–' : format.bytes(one.memoryBytes)],
        [
          t('services.containers'),
          seesPlatform ? (
            <Link
              key="containers"
              to={`/containers?f.${one.kind === ServiceKind.DEPLOYMENT ? 'deployment' : 'application'}=${encodeURIComponent(one.name)}`}
            >
              {format.number(one.containers)}
            </Link>
          ) : (
            format.number(one.containers)
          ),
        ],
        [t('services.hosts'), <HostNames key="hosts" hosts={one.hosts} />],
      ]}
    />
  );
}

export default function ServicePage() {
  const { t } = useI18n();
  const { service = '' } = useParams();
  const [params] = useSearchParams();
  const deployment = useDeployment();
  const range = useTimeRange(TIMES);
  const windowMs = windowOf(range.span);
  const asked = kindOf(params.get('kind'));
  const input = servicesInput(range, { filter: `name="${service.replaceAll('"', '')}"` });
  const list = useMonitorCall(Api.method.listServices, input, { deployment, keep: true });
  const rows = list.data?.services ?? [];
  const one = asked ? rows.find((row) => row.kind === asked) : rows[0];
  const kind = one?.kind ?? asked;
  const filter = ofService(service, kind);
  const usage = usageOf(filter, { cpu: t('cpu'), memory: t('memory') });
  const span = spanOf(params);
  const back = span ? `/services?${span}` : '/services';
  const of = { service, kind, deployment, range };
  return (
    <>
      <PageHead
        title={service}
        trail={[{ to: back, label: t('nav.services') }]}
        note={<KindName kind={kind} />}
        actions={
          <>
            <DeploymentChoice />
            <TimeRangePicker defaults={TIMES} />
            <ApiRequest plain method={Api.method.listServices} input={input} deployment={deployment} />
          </>
        }
      />
      <Card>
        <DataState query={list} lines={3}>
          {() =>
            one ? (
              <>
                <Summary one={one} windowMs={windowMs} />
                {kind === ServiceKind.APPLICATION ? (
                  <p className="quiet services-note">
                    {t('services.noTraffic')}: {t('services.noTraffic.about')}
                  </p>
                ) : null}
              </>
            ) : (
              <span className="quiet">{t('services.unseen')}</span>
            )
          }
        </DataState>
      </Card>
      {kind === ServiceKind.APPLICATION ? null : <Traffic {...of} />}
      <div className="charts three">
        <LineChart {...of} />
        <MetricChart
          title={t('services.cpu.container')}
          note={t('services.cpu.note')}
          unit="percent"
          metric={usage.cpu}
          range={range}
          deployment={deployment}
        />
        <MetricChart
          title={t('services.memory.container')}
          unit="bytes"
          metric={usage.memory}
          range={range}
          deployment={deployment}
        />
      </div>
      {kind === ServiceKind.APPLICATION ? null : (
        <div className="columns">
          <div className="two-thirds">
            <FailedRequests {...of} />
          </div>
          <div className="third">
            <Paths {...of} />
          </div>
        </div>
      )}
      <ErrorLines {...of} />
      <ServiceLines {...of} />
    </>
  );
}
