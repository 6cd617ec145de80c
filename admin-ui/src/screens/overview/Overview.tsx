// Is the platform healthy, and if not, why and what to do; who uses the most.
import { Code } from '@connectrpc/connect';
import { Link, useNavigate } from 'react-router';
import { useCall } from '../../api/call';
import { refusalOf } from '../../api/errors';
import { SYSTEM, useMonitorCall } from '../../api/monitor';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Alerts } from '../../generated/wharf/monitor/v1/alerts_pb';
import { Services } from '../../generated/wharf/monitor/v1/services_pb';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Platform, type PlatformStatus } from '../../generated/wharf/v1/platform_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { PageHead } from '../../shared/PageHead';
import { Refused } from '../../shared/Refused';
import { Mark } from '../../shared/status/Mark';
import { erring, piles } from './conclusions';
import { Findings } from './Findings';
import { MemoryByZone, useZones, ZONES } from './MemoryByZone';
import { TopContainers } from './TopContainers';

interface TileProps {
  name: string;
  figure: string;
  sub: string;
  to: string;
  level?: 'warn' | 'bad' | undefined;
}

function Tile({ name, figure, sub, to, level }: TileProps) {
  return (
    <Link to={to} className={`tile ${level ?? ''}`}>
      <div className="name">{name}</div>
      <div className="figure">{figure}</div>
      <div className="sub" title={sub}>
        {sub}
      </div>
    </Link>
  );
}

function HostTiles({ status }: { status: PlatformStatus }) {
  const t = useT();
  const format = useFormat();
  const zones = useZones();
  const leader = status.directors.find((one) => one.leader);
  const lag = Math.max(0, ...status.directors.map((one) => Number(one.lag)));
  const all = zones.data?.zones ?? [];
  const used = all.reduce((sum, one) => sum + Number(one.used?.memoryBytes ?? 0n), 0);
  const whole = all.reduce((sum, one) => sum + Number(one.capacity?.memoryBytes ?? 0n), 0);
  const resting = all.reduce((sum, one) => sum + one.maintenance, 0);
  return (
    <>
      <Tile
        name={t('overview.hosts')}
        figure={`${format.number(status.allocatorsConnected)} / ${format.number(status.allocators)}`}
        sub={t('overview.hosts.sub', { maintenance: resting })}
        to="/hosts"
        level={status.allocatorsConnected < status.allocators ? 'bad' : undefined}
      />
      <Tile
        name={t('overview.memory')}
        figure={format.percent(used, whole)}
        sub={t('overview.memory.sub', { used: format.bytes(used), whole: format.bytes(whole) })}
        to="/hosts"
        level={whole > 0 && used / whole > 0.9 ? 'warn' : undefined}
      />
      <Tile
        name={t('overview.controlPlane')}
        figure={leader?.host ?? t('overview.noLeader')}
        sub={t('overview.controlPlane.sub', {
          term: leader?.term ?? 0n,
          lag,
          voters: status.directors.filter((one) => one.voter).length,
        })}
        to="/control-plane"
        level={leader && status.directors.every((one) => one.connected) ? undefined : 'bad'}
      />
      <Tile
        name={t('overview.proxies')}
        figure={`${format.number(status.proxiesConnected)} / ${format.number(status.proxies)}`}
        sub={status.proxyUrl}
        to="/control-plane"
        level={status.proxiesConnected < status.proxies ? 'bad' : undefined}
      />
    </>
  );
}

/** Hosts with the most containers: only they can be a pile. */
const FULLEST = { options: { pageSize: 3, orderBy: 'containers desc' } };
const WINDOW_MS = 15n * 60_000n;
const WORST_SERVICES = {
  windowMs: WINDOW_MS,
  options: { pageSize: 10, orderBy: 'error_ratio desc' },
};
const FIRING = { options: { pageSize: 1, filter: 'state=firing', orderBy: 'since desc' } };
const EVERY_MS = 30_000;

function AlertTile() {
  const t = useT();
  const format = useFormat();
  const alerts = useMonitorCall(Alerts.method.listAlerts, FIRING, { deployment: SYSTEM, every: EVERY_MS });
  if (!alerts.data) return null;
  const count = Number(alerts.data.info?.total ?? 0n);
  const newest = alerts.data.alerts[0];
  return (
    <Tile
      name={t('overview.alerts')}
      figure={format.number(count)}
      sub={
        newest
          ? t('overview.alerts.sub', { summary: newest.summary || newest.watch })
          : t('overview.alerts.none')
      }
      to="/alerts"
      level={count > 0 ? 'bad' : undefined}
    />
  );
}

function Problems({ status }: { status: PlatformStatus }) {
  const t = useT();
  const { seesPlatform } = useRights();
  const zones = useCall(Allocators.method.listZones, ZONES, { enabled: seesPlatform });
  const fullest = useCall(Allocators.method.listAllocators, FULLEST, {
    enabled: seesPlatform,
    every: EVERY_MS,
  });
  const services = useServices();
  const wrong = erring(services.data?.services ?? [], status.problems, status.problemsTotal);
  const piled = piles(zones.data?.zones ?? [], fullest.data?.allocators ?? []);
  const told = Math.max(status.problemsTotal, status.problems.length);
  return (
    <Card
      flush
      title={t('findings.title', { count: told + wrong.length + piled.length })}
      actions={seesPlatform ? <Link to="/changes">{t('findings.changes')}</Link> : null}
    >
      <Findings
        platform={status.name}
        problems={status.problems}
        more={told - status.problems.length}
        erring={wrong}
        piles={piled}
      />
    </Card>
  );
}

function useServices() {
  const { seesPlatform } = useRights();
  return useMonitorCall(Services.method.listServices, WORST_SERVICES, {
    deployment: SYSTEM,
    enabled: seesPlatform,
    every: EVERY_MS,
  });
}

export default function Overview() {
  const t = useT();
  const format = useFormat();
  const rights = useRights();
  const navigate = useNavigate();
  const status = useCall(Platform.method.getStatus, {}, { every: 15_000 });
  const services = useServices();
  // Who may not read it lacks nothing that is theirs.
  const away = services.error !== null && refusalOf(services.error).grpc !== Code.PermissionDenied;
  return (
    <>
      <PageHead
        title={t('overview.title')}
        status={
          status.data ? (
            <Mark
              tone={status.data.healthy ? 'good' : 'bad'}
              word={status.data.healthy ? t('overview.healthy') : t('overview.unhealthy')}
            />
          ) : null
        }
        actions={
          <>
            <ApiRequest method={Platform.method.getStatus} input={{}} />
            <ActionButton
              whyNot={rights.manages ? undefined : t('why.manager')}
              onClick={() => void navigate('/deployments/create')}
            >
              {t('create.title')}
            </ActionButton>
          </>
        }
      />
      <DataState query={status} lines={10}>
        {(data) => (
          <>
            <div className="tiles">
              {rights.seesPlatform ? <HostTiles status={data} /> : null}
              <Tile
                name={t('overview.deployments')}
                figure={`${format.number(data.deploymentsHealthy)} / ${format.number(data.deployments)}`}
                sub={t('overview.deployments.sub')}
                to="/deployments"
                level={data.deploymentsHealthy < data.deployments ? 'bad' : undefined}
              />
              <Tile
                name={t('overview.plans')}
                figure={format.number(data.plansRunning)}
                sub={t('overview.plans.sub', { containers: data.containers })}
                to="/plans?f.status=running"
              />
              {rights.seesPlatform ? <AlertTile /> : null}
            </div>
            <Problems status={data} />
          </>
        )}
      </DataState>
      {away ? (
        <div className="stack">
          <Refused
            error={services.error}
            title={t('overview.lacks')}
            about={t('overview.lacks.about')}
            retry={() => void services.refetch()}
          />
        </div>
      ) : null}
      {rights.seesPlatform ? (
        <div className="columns">
          <div className="half">
            <TopContainers by="memory" />
          </div>
          <div className="half">
            <TopContainers by="cpu" />
          </div>
          <MemoryByZone storageAway={away} />
        </div>
      ) : null}
    </>
  );
}
