// What lies where: zones, hosts and containers as a map, as large as the memory they use; where it is
// concentrated; what would be lost with a host or a zone. Fed by the directors alone.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { FormSelect, FormSelectOption, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { useMemo } from 'react';
import { useCall } from '../../api/call';
import { useFormat } from '../../format/use-format';
import { Allocators } from '../../generated/wharf/v1/allocators_pb';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { Deployments } from '../../generated/wharf/v1/deployments_pb';
import { Events } from '../../generated/wharf/v1/events_pb';
import { type MessageKey, useT } from '../../i18n/i18n';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { DataState, Loading } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { PageHead } from '../../shared/PageHead';
import { useSearchParams } from '../../shared/use-search-params';
import { useNow } from '../../shared/When';
import { Conclusions } from './Conclusions';
import { Legend } from './Legend';
import { MOST_CONTAINERS, type Placed, usePlaced } from './load';
import { inOrder, METRICS, type Metric, mapOf, restartsOf } from './model';
import { PlacementMap } from './PlacementMap';
import { PlacementTable } from './PlacementTable';
import './placement.css';
import { WhatIf } from './WhatIf';
import { Zones } from './Zones';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const MOST_EVENTS = 1_000;
const MOST_ZONES = 200;
const MOST_DEPLOYMENTS = 500;

const COLOURS: Record<Metric, MessageKey> = {
  memory: 'placement.colour.memory',
  cpu: 'placement.colour.cpu',
  restarts: 'placement.colour.restarts',
};

function useRestarts() {
  const now = useNow(MINUTE);
  // To the minute: a request that is another one each second would be kept each second.
  const since = timestampFromMs(Math.floor((now - DAY) / MINUTE) * MINUTE);
  const events = useCall(
    Events.method.listEvents,
    { since, options: { pageSize: MOST_EVENTS, filter: 'kind~restarted', orderBy: 'number desc' } },
    { keep: true },
  );
  const { data } = events;
  return useMemo(() => (data ? restartsOf(data.events) : undefined), [data]);
}

function LeftOut({ placed }: { placed: Placed }) {
  const t = useT();
  const format = useFormat();
  const { hosts, containers, instances } = placed;
  const said = [
    ...(containers.total > containers.rows.length
      ? [
          t('placement.leftOut.containers', {
            shown: format.number(containers.rows.length),
            total: format.number(containers.total),
          }),
        ]
      : []),
    ...(hosts.total > hosts.rows.length
      ? [
          t('placement.leftOut.hosts', {
            shown: format.number(hosts.rows.length),
            total: format.number(hosts.total),
          }),
        ]
      : []),
    ...(instances.total > instances.rows.length
      ? [
          t('placement.leftOut.instances', {
            shown: format.number(instances.rows.length),
            total: format.number(instances.total),
          }),
        ]
      : []),
  ];
  return said.length > 0 ? <p className="quiet note">{said.join(' ')}</p> : null;
}

export default function Placement() {
  const t = useT();
  const format = useFormat();
  const [params, setParams] = useSearchParams();
  const metric = METRICS.find((one) => one === params.get('colour')) ?? 'memory';
  const deployment = params.get('deployment') ?? '';
  const asTable = params.get('as') === 'table';
  const placed = usePlaced();
  const zones = useCall(
    Allocators.method.listZones,
    { options: { pageSize: MOST_ZONES, orderBy: 'name', filter: 'hosts!=0' } },
    { every: 15_000 },
  );
  const deployments = useCall(Deployments.method.listDeployments, {
    options: { pageSize: MOST_DEPLOYMENTS, orderBy: 'name' },
  });
  const restarts = useRestarts();
  const { data } = placed;
  const map = useMemo(
    () => (data ? mapOf(data.hosts.rows, data.containers.rows, restarts) : []),
    [data, restarts],
  );
  const order = useMemo(() => inOrder(map), [map]);
  // A host whose containers were left out is not one without any.
  const isWhole = data !== undefined && data.containers.total <= data.containers.rows.length;
  const quiet = isWhole
    ? map.flatMap((zone) => zone.hosts).filter((host) => host.containers.length === 0)
    : [];
  const put = (name: string, value: string) =>
    setParams((old) => {
      const next = new URLSearchParams(old);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  const names = (deployments.data?.deployments ?? []).map((one) => one.name);
  if (deployment && !names.includes(deployment)) names.unshift(deployment);
  return (
    <>
      <PageHead
        title={t('nav.placement')}
        note={
          data
            ? t('placement.note', {
                zones: format.number(map.length),
                hosts: format.number(data.hosts.total),
                containers: format.number(data.containers.total),
              })
            : null
        }
        actions={
          <ApiRequest
            method={Containers.method.listContainers}
            input={{
              options: { pageSize: MOST_CONTAINERS / 4, filter: 'state=running', orderBy: 'memory desc' },
            }}
          />
        }
      />
      {placed.isPending ? (
        <Card>
          <Loading lines={12} />
        </Card>
      ) : (
        <DataState query={placed}>
          {(answer) => (
            <>
              <Card flush title={t('placement.conclusions')}>
                <DataState query={zones} lines={2}>
                  {(all) => (
                    <Conclusions
                      zones={all.zones}
                      hosts={answer.hosts.rows}
                      instances={answer.instances.rows}
                    />
                  )}
                </DataState>
              </Card>
              <Card
                flush
                title={t('placement.map')}
                actions={
                  <>
                    <FormSelect
                      aria-label={t('placement.colour')}
                      value={metric}
                      onChange={(_, value) => put('colour', value === 'memory' ? '' : value)}
                    >
                      {METRICS.map((one) => (
                        <FormSelectOption
                          key={one}
                          value={one}
                          label={`${t('placement.colour')}: ${t(COLOURS[one])}`}
                        />
                      ))}
                    </FormSelect>
                    <FormSelect
                      aria-label={t('deployment')}
                      value={deployment}
                      onChange={(_, value) => put('deployment', value)}
                    >
                      <FormSelectOption value="" label={`${t('deployment')}: ${t('list.all')}`} />
                      {names.map((name) => (
                        <FormSelectOption key={name} value={name} label={`${t('deployment')}: ${name}`} />
                      ))}
                    </FormSelect>
                    <ToggleGroup aria-label={t('placement.as')} isCompact>
                      <ToggleGroupItem
                        text={t('placement.as.map')}
                        buttonId="as-map"
                        isSelected={!asTable}
                        onChange={() => put('as', '')}
                      />
                      <ToggleGroupItem
                        text={t('placement.as.table')}
                        buttonId="as-table"
                        isSelected={asTable}
                        onChange={() => put('as', 'table')}
                      />
                    </ToggleGroup>
                  </>
                }
              >
                {order.length === 0 ? (
                  <Empty title={t('containers.empty')}>{t('containers.empty.hint')}</Empty>
                ) : asTable ? (
                  <PlacementTable containers={order} />
                ) : (
                  <>
                    <Legend metric={metric} />
                    <PlacementMap zones={map} metric={metric} deployment={deployment} />
                  </>
                )}
                {quiet.length > 0 ? (
                  <p className="quiet note">
                    {t('placement.quiet', {
                      hosts: quiet
                        .slice(0, 20)
                        .map((host) => host.host)
                        .join(', '),
                    })}
                  </p>
                ) : null}
                <LeftOut placed={answer} />
              </Card>
              <WhatIf
                hosts={answer.hosts.rows}
                allHosts={answer.hosts.total <= answer.hosts.rows.length}
                instances={answer.instances.rows}
                containers={order}
              />
              <Zones />
            </>
          )}
        </DataState>
      )}
    </>
  );
}
