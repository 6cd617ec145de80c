// Is the platform healthy, and if not, why and what to do; who uses the most.
import { Link, useNavigate } from 'react-router';
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Platform, type PlatformStatus } from '../../generated/wharf/v1/platform_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { ALL_HOSTS } from '../../shared/names/hosts';
import { PageHead } from '../../shared/PageHead';
import { Mark } from '../../shared/status/Mark';
import { Findings } from './Findings';
import { MemoryByZone } from './MemoryByZone';
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
  const hosts = useCall(Allocators.method.listAllocators, ALL_HOSTS);
  const leader = status.directors.find((one) => one.leader);
  const lag = Math.max(0, ...status.directors.map((one) => Number(one.lag)));
  const all = hosts.data?.allocators ?? [];
  const used = all.reduce((sum, one) => sum + Number(one.used?.memoryBytes ?? 0n), 0);
  const whole = all.reduce((sum, one) => sum + Number(one.capacity?.memoryBytes ?? 0n), 0);
  const resting = all.filter((one) => one.maintenance).length;
  return (
    <>
      <Tile
        name={t('overview.hosts')}
        figure={`${status.allocatorsConnected} / ${status.allocators}`}
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
        figure={`${status.proxiesConnected} / ${status.proxies}`}
        sub={status.proxyUrl}
        to="/control-plane"
        level={status.proxiesConnected < status.proxies ? 'bad' : undefined}
      />
    </>
  );
}

export default function Overview() {
  const t = useT();
  const rights = useRights();
  const navigate = useNavigate();
  const status = useCall(Platform.method.getStatus, {}, { every: 15_000 });
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
                figure={`${data.deploymentsHealthy} / ${data.deployments}`}
                sub={t('overview.deployments.sub')}
                to="/deployments"
                level={data.deploymentsHealthy < data.deployments ? 'bad' : undefined}
              />
              <Tile
                name={t('overview.plans')}
                figure={String(data.plansRunning)}
                sub={t('overview.plans.sub', { containers: data.containers })}
                to="/plans?f.status=running"
              />
            </div>
            <Card
              flush
              title={t('findings.title', { count: data.problems.length })}
              actions={rights.seesPlatform ? <Link to="/changes">{t('findings.changes')}</Link> : null}
            >
              <Findings problems={data.problems} />
            </Card>
          </>
        )}
      </DataState>
      {rights.seesPlatform ? (
        <div className="columns">
          <div className="half">
            <TopContainers by="memory" />
          </div>
          <div className="half">
            <TopContainers by="cpu" />
          </div>
          <div className="whole">
            <MemoryByZone />
          </div>
        </div>
      ) : null}
    </>
  );
}
