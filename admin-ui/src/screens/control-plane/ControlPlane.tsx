// Who decides: the directors and their log. Who routes: the proxies and their tables.
import { useFormat } from '../../format/use-format';
import { type Director, DirectorRole, Directors } from '../../generated/wharf/v1/directors_pb';
import { Proxies, type Proxy as ProxyRow } from '../../generated/wharf/v1/proxies_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { English } from '../../shared/English';
import { ListTable } from '../../shared/list/ListTable';
import type { Column } from '../../shared/list/Rows';
import { HostLink } from '../../shared/names/links';
import { PageHead } from '../../shared/PageHead';
import { Mark } from '../../shared/status/Mark';
import { DIRECTOR_ROLES } from '../../shared/status/marks';
import { Age } from '../../shared/When';

function DirectorMark({ one }: { one: Director }) {
  const t = useT();
  if (!one.connected) return <Mark tone="bad" word={t('host.silent')} />;
  const word = t(DIRECTOR_ROLES[one.role]);
  return <Mark tone={one.role === DirectorRole.LEARNER ? 'busy' : 'good'} word={word} />;
}

/** From where it would start again: what lies behind that it takes from the log. */
function Snapshot({ one }: { one: Director }) {
  const t = useT();
  const format = useFormat();
  if (!one.log) return <span className="quiet">–</span>;
  if (!one.log.snapshotAt) return <span className="quiet">{t('director.snapshot.none')}</span>;
  return (
    <>
      <span title={t('director.index')}>{format.number(one.log.snapshotIndex)}</span>{' '}
      <span className="quiet">
        · <Age at={one.log.snapshotAt} />
      </span>
    </>
  );
}

export default function ControlPlane() {
  const t = useT();
  const format = useFormat();
  const directors: Column<Director>[] = [
    { id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> },
    { id: 'role', head: t('state'), sort: 'role', cell: (one) => <DirectorMark one={one} /> },
    { id: 'zone', head: t('zone'), sort: 'zone', cell: (one) => one.zone },
    { id: 'term', head: t('director.term'), right: true, cell: (one) => format.number(one.term) },
    { id: 'index', head: t('director.index'), right: true, cell: (one) => format.number(one.logIndex) },
    { id: 'lag', head: t('director.lag'), sort: 'lag', right: true, cell: (one) => format.number(one.lag) },
    {
      id: 'snapshot',
      head: t('director.snapshot'),
      right: true,
      cell: (one) => <Snapshot one={one} />,
    },
    {
      id: 'entries',
      head: t('director.entries'),
      right: true,
      cell: (one) => (one.log ? format.number(one.log.entries) : <span className="quiet">–</span>),
    },
    { id: 'contact', head: t('director.contact'), right: true, cell: (one) => <Age at={one.lastContact} /> },
    {
      id: 'admin',
      head: t('director.address'),
      cell: (one) => <span className="mono">{one.adminAddress}</span>,
    },
    {
      id: 'internal',
      head: t('director.internal'),
      cell: (one) => <span className="mono">{one.internalAddress}</span>,
    },
    { id: 'version', head: t('version'), sort: 'version', cell: (one) => one.version },
    { id: 'waits', head: t('director.waits'), cell: (one) => <English>{one.waitsFor}</English> },
  ];
  const proxies: Column<ProxyRow>[] = [
    { id: 'host', head: t('host'), sort: 'host', cell: (one) => <HostLink host={one.host} /> },
    {
      id: 'state',
      head: t('state'),
      sort: 'connected',
      cell: (one) => (
        <Mark
          tone={one.connected ? 'good' : 'bad'}
          word={one.connected ? t('host.connected') : t('host.silent')}
        />
      ),
    },
    { id: 'zone', head: t('zone'), sort: 'zone', cell: (one) => one.zone },
    {
      id: 'table',
      head: t('proxy.table'),
      sort: 'generation',
      cell: ({ tableGeneration: generation, tableBehind: by }) => {
        // A proxy that this leader has not heard may have any table.
        if (by === undefined) return '–';
        if (by === 0n) return t('proxy.newest', { generation });
        return <Mark tone="warn" word={t('proxy.behind', { generation, by })} />;
      },
    },
    {
      id: 'tableAge',
      head: t('proxy.tableAge'),
      right: true,
      cell: (one) => <Age at={one.tableAt} />,
    },
    { id: 'since', head: t('host.since'), right: true, cell: (one) => <Age at={one.since} /> },
    { id: 'open', head: t('proxy.open'), right: true, cell: (one) => format.number(one.openConnections) },
    {
      id: 'requests',
      head: t('proxy.requests'),
      right: true,
      cell: (one) => format.number(one.requestsTotal),
    },
    { id: 'errors', head: t('proxy.errors'), right: true, cell: (one) => format.number(one.errorsTotal) },
    { id: 'version', head: t('version'), cell: (one) => one.version },
  ];
  return (
    <>
      <PageHead title={t('nav.controlPlane')} />
      <Card flush>
        <ListTable
          label={t('directors')}
          title={t('directors')}
          prefix="d."
          method={Directors.method.listDirectors}
          input={(options) => ({ options })}
          rows={(answer) => answer.directors}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={directors}
          defaultSort="host"
          every={5_000}
          empty={{ title: t('list.none') }}
        />
      </Card>
      <Card flush>
        <ListTable
          label={t('proxies')}
          title={t('proxies')}
          prefix="p."
          method={Proxies.method.listProxies}
          input={(options) => ({ options })}
          rows={(answer) => answer.proxies}
          info={(answer) => answer.info}
          rowKey={(one) => one.id}
          columns={proxies}
          defaultSort="host"
          every={10_000}
          empty={{ title: t('proxies.empty'), hint: t('proxies.empty.hint') }}
        />
      </Card>
    </>
  );
}
