// One instance on its deployment's page: how it is, why it lies there, its log, what can be done with it.
import { Button } from '@patternfly/react-core';
import { type ReactNode, useEffect, useRef } from 'react';
import { useCall } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { Containers } from '../../generated/wharf/v1/containers_pb';
import { type Deployment, InstanceState } from '../../generated/wharf/v1/deployments_pb';
import { Instances } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { DataState } from '../../shared/DataState';
import { Empty } from '../../shared/Empty';
import { English } from '../../shared/English';
import { Facts } from '../../shared/Facts';
import { ContainerLink, HostLink, LogLink, PlanLink } from '../../shared/names/links';
import { COPY_STAGES, useNameWord } from '../../shared/names/stable-names';
import { Mark } from '../../shared/status/Mark';
import { HealthMark, InstanceMark } from '../../shared/status/marks';
import { Usage } from '../../shared/Usage';
import { useSearchParams } from '../../shared/use-search-params';
import { Age } from '../../shared/When';
import { InstanceActions } from './InstanceActions';
import { CHOSEN } from './InstanceButton';
import { WhyThere } from './WhyThere';

function Details({ deployment, id }: { deployment: Deployment; id: string }) {
  const t = useT();
  const format = useFormat();
  const word = useNameWord();
  const { seesPlatform } = useRights();
  const query = useCall(
    Instances.method.listInstances,
    { deployment: deployment.id, options: { pageSize: 1, filter: `id=${id}` } },
    { every: 10_000 },
  );
  const containers = useCall(
    Containers.method.listContainers,
    { options: { pageSize: 1, filter: `instance_id=${id} and state=running` } },
    { enabled: seesPlatform, every: 5_000 },
  );
  const container = containers.data?.containers[0];
  return (
    <DataState query={query} lines={4}>
      {(answer) => {
        const placed = answer.instances[0];
        const instance = placed?.instance;
        if (!placed || !instance) return <Empty title={t('instance.gone')} />;
        return (
          <div className="stack">
            <div className="line">
              {placed.paused ? (
                <Mark tone="off" word={t('instance.paused')} />
              ) : (
                <InstanceMark state={instance.state ?? InstanceState.UNSPECIFIED} />
              )}
              <HealthMark health={instance.health} />
              {placed.routingStopped ? <Mark tone="warn" word={t('instance.unrouted')} /> : null}
              {instance.reason ? <English className="bad-text">{instance.reason}</English> : null}
              <span className="spacer" />
              <span className="actions">
                <InstanceActions placed={placed} deployment={deployment} />
              </span>
            </div>
            <Facts
              facts={[
                [t('host'), <HostLink key="host" host={placed.host} />],
                [t('zone'), instance.zone],
                ...(seesPlatform
                  ? [
                      [
                        t('container'),
                        <span key="container" className="line">
                          <ContainerLink host={container?.host ?? ''} name={container?.name ?? ''} />
                          <LogLink host={container?.host ?? ''} name={container?.name ?? ''} />
                        </span>,
                      ] as [string, ReactNode],
                    ]
                  : []),
                [
                  t('memory'),
                  container?.sample ? (
                    <Usage
                      key="memory"
                      used={container.sample.memoryBytes}
                      whole={container.sample.memoryLimitBytes}
                      of={t('memory')}
                      label={`${format.bytes(container.sample.memoryBytes)} / ${format.bytes(instance.memoryBytes)}`}
                    />
                  ) : (
                    format.bytes(instance.memoryBytes)
                  ),
                ],
                [t('disk'), format.bytes(instance.diskBytes)],
                [t('instance.started'), <Age key="started" at={instance.startedAt} />],
                [t('instance.restarts'), format.number(instance.restarts)],
                [t('plan'), <PlanLink key="plan" id={placed.planId} />],
                ...(placed.copy
                  ? [
                      [
                        t('vacate.data'),
                        <Usage
                          key="copy"
                          used={placed.copy.bytesDone}
                          whole={placed.copy.bytesTotal}
                          of={t('vacate.data')}
                          label={word(COPY_STAGES, placed.copy.stage)}
                        />,
                      ] as [string, ReactNode],
                    ]
                  : []),
              ]}
            />
            <h3>{t('why.title')}</h3>
            <WhyThere instanceId={id} />
          </div>
        );
      }}
    </DataState>
  );
}

export function InstanceCard({ deployment }: { deployment: Deployment }) {
  const t = useT();
  const [params, setParams] = useSearchParams();
  const id = params.get(CHOSEN) ?? '';
  const card = useRef<HTMLElement>(null);
  const name = deployment.resources.flatMap((one) => one.instances).find((one) => one.id === id)?.name ?? '';
  useEffect(() => {
    if (id) card.current?.scrollIntoView({ block: 'nearest' });
  }, [id]);
  if (!id) return null;
  return (
    <section className="card" ref={card} aria-labelledby="instance-head" id="instance">
      <header className="card-head">
        <h2 id="instance-head">{t('instance.one', { name })}</h2>
        <Button
          variant="link"
          size="sm"
          onClick={() =>
            setParams(
              (old) => {
                const next = new URLSearchParams(old);
                next.delete(CHOSEN);
                return next;
              },
              { replace: true },
            )
          }
        >
          {t('close')}
        </Button>
      </header>
      <div className="card-body">
        <Details deployment={deployment} id={id} />
      </div>
    </section>
  );
}
