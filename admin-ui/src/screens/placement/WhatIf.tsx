// What would be lost with a host or a zone, and where its instances would go. Nothing is changed by it.
import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useDryRun } from '../../api/call';
import { useRights } from '../../api/session';
import { useFormat } from '../../format/use-format';
import { type Allocator, Allocators } from '../../generated/wharf/v1/allocators_pb';
import type { PlacedInstance } from '../../generated/wharf/v1/instances_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { DataState } from '../../shared/DataState';
import { DeploymentLink, HostLink } from '../../shared/names/links';
import { RESOURCES, useNameWord } from '../../shared/names/stable-names';
import { Mark } from '../../shared/status/Mark';
import { useSearchParams } from '../../shared/use-search-params';
import { type Loss, lossOf, type MapContainer } from './model';

interface WhatIfProps {
  hosts: readonly Allocator[];
  /** None was left out: their room is all there is. */
  allHosts: boolean;
  instances: readonly PlacedInstance[];
  containers: readonly MapContainer[];
}

const MOST_KINDS = 50;

function LossTable({ loss }: { loss: Loss }) {
  const t = useT();
  const word = useNameWord();
  const cut = loss.kinds.length - MOST_KINDS;
  if (loss.kinds.length === 0) return null;
  return (
    <div className="rows">
      <table className="grid" aria-label={t('placement.loss')}>
        <thead>
          <tr>
            <th scope="col">{t('deployment')}</th>
            <th scope="col">{t('plan.kind')}</th>
            <th scope="col" className="right">
              {t('placement.loss.lost')}
            </th>
            <th scope="col">{t('placement.loss.left')}</th>
          </tr>
        </thead>
        <tbody>
          {loss.kinds.slice(0, MOST_KINDS).map((one) => (
            <tr key={`${one.deploymentId} ${one.kind}`}>
              <td>
                <DeploymentLink id={one.deploymentId} name={one.deployment} />
              </td>
              <td>{word(RESOURCES, one.kind)}</td>
              <td className="right tight">
                {one.lost} / {one.of}
              </td>
              <td>
                {one.lost === one.of ? (
                  <Mark tone="bad" word={t('placement.loss.nothing')} />
                ) : (
                  <Mark tone="warn" word={t('placement.loss.some', { count: one.of - one.lost })} />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {cut > 0 ? <p className="quiet note">{t('placement.loss.cut', { count: cut })}</p> : null}
    </div>
  );
}

function Moves({ host }: { host: Allocator }) {
  const t = useT();
  const preview = useDryRun(
    Allocators.method.vacateAllocator,
    // Of a host that is connected the directors say where its instances go while it is there still.
    { allocator: host.id, hostDown: !host.connected },
    true,
  );
  return (
    <>
      <h3>{t('placement.whatIf.moves')}</h3>
      <p className="quiet">
        {host.connected ? t('placement.whatIf.connected') : t('placement.whatIf.silent')}{' '}
        <HostLink host={host.host} />
      </p>
      <DataState query={preview} lines={3}>
        {(answer) => (
          <div className="rows">
            <table className="grid" aria-label={t('placement.whatIf.moves')}>
              <thead>
                <tr>
                  <th scope="col">{t('instance')}</th>
                  <th scope="col">{t('vacate.to')}</th>
                  <th scope="col">{t('reason')}</th>
                </tr>
              </thead>
              <tbody>
                {(answer.vacate?.moves ?? []).map((move) => (
                  <tr key={move.instanceId}>
                    <td className="tight">
                      <DeploymentLink id={move.deploymentId} name={move.deploymentName} /> /{' '}
                      {move.instanceName}
                    </td>
                    <td className="tight">
                      {move.toHost ? (
                        <HostLink host={move.toHost} />
                      ) : (
                        <Mark tone="bad" word={t('placement.whatIf.nowhere')} />
                      )}
                    </td>
                    <td className="wrap" lang="en">
                      {move.reason}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </DataState>
    </>
  );
}

export function WhatIf({ hosts, allHosts, instances, containers }: WhatIfProps) {
  const t = useT();
  const format = useFormat();
  const rights = useRights();
  const [params, setParams] = useSearchParams();
  const lose = params.get('lose') ?? '';
  const zones = [...new Set(hosts.map((one) => one.zone))].sort();
  const ordered = [...hosts].sort((a, b) => a.host.localeCompare(b.host, 'en', { numeric: true }));
  const [what, name = ''] = [lose.slice(0, lose.indexOf(':')), lose.slice(lose.indexOf(':') + 1)];
  const host = what === 'host' ? hosts.find((one) => one.host === name) : undefined;
  const isZone = what === 'zone' && zones.includes(name);
  const loss =
    host || isZone
      ? lossOf((on, zone) => (isZone ? zone === name : on === name), hosts, instances, containers)
      : undefined;
  return (
    <Card
      title={t('placement.whatIf')}
      actions={
        <FormSelect
          aria-label={t('placement.whatIf.choose')}
          value={host || isZone ? lose : ''}
          onChange={(_, value) =>
            setParams((old) => {
              const next = new URLSearchParams(old);
              if (value) next.set('lose', value);
              else next.delete('lose');
              return next;
            })
          }
        >
          <FormSelectOption value="" label={t('placement.whatIf.none')} />
          {zones.length > 1
            ? zones.map((zone) => (
                <FormSelectOption
                  key={`zone:${zone}`}
                  value={`zone:${zone}`}
                  label={t('placement.whatIf.zone', { name: zone })}
                />
              ))
            : []}
          {ordered.map((one) => (
            <FormSelectOption
              key={`host:${one.host}`}
              value={`host:${one.host}`}
              label={t('placement.whatIf.host', { name: one.host })}
            />
          ))}
        </FormSelect>
      }
    >
      {loss ? (
        <div className="stack" data-testid="what-if">
          <p>
            <strong>
              {t('placement.loss.sum', {
                name,
                instances: format.number(loss.instances),
                deployments: format.number(new Set(loss.kinds.map((one) => one.deploymentId)).size),
              })}
            </strong>{' '}
            {loss.others > 0 ? t('placement.loss.others', { count: format.number(loss.others) }) : ''}
          </p>
          {loss.instances > 0 ? (
            <p className="line">
              {loss.memory <= loss.free ? (
                <Mark tone="good" word={t('placement.loss.room')} />
              ) : allHosts ? (
                <Mark tone="bad" word={t('placement.loss.noRoom')} />
              ) : null}
              <span>
                {t('placement.loss.memory', {
                  memory: format.bytes(loss.memory),
                  free: format.bytes(loss.free),
                })}
              </span>
            </p>
          ) : null}
          <LossTable loss={loss} />
          {isZone ? <p className="quiet">{t('placement.whatIf.zone.about')}</p> : null}
          {host && loss.instances > 0 ? (
            rights.administers ? (
              <Moves key={host.id} host={host} />
            ) : (
              <p className="quiet">{t('placement.whatIf.admin')}</p>
            )
          ) : null}
        </div>
      ) : (
        <p className="quiet">{t('placement.whatIf.about')}</p>
      )}
    </Card>
  );
}
