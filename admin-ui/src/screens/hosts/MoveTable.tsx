import { useFormat } from '../../format/use-format';
import type { VacateMove } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Empty } from '../../shared/Empty';
import { DeploymentLink, HostLink, PlanLink } from '../../shared/names/links';
import { MoveMark } from '../../shared/status/marks';
import { Usage } from '../../shared/Usage';

/** Instances of a vacate, each with where it goes and how far it is. */
export function MoveTable({ moves, label }: { moves: readonly VacateMove[]; label: string }) {
  const t = useT();
  const format = useFormat();
  if (moves.length === 0) return <Empty title={t('vacate.noMoves')} />;
  return (
    <section
      className="rows"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={label}
    >
      <table className="grid" aria-label={label}>
        <thead>
          <tr>
            <th scope="col">{t('instance')}</th>
            <th scope="col">{t('state')}</th>
            <th scope="col">{t('vacate.to')}</th>
            <th scope="col">{t('vacate.data')}</th>
            <th scope="col">{t('plan')}</th>
            <th scope="col">{t('reason')}</th>
          </tr>
        </thead>
        <tbody>
          {moves.map((move) => (
            <tr key={move.instanceId}>
              <td>
                <DeploymentLink
                  id={move.deploymentId}
                  name={`${move.deploymentName} / ${move.instanceName}`}
                />
              </td>
              <td>
                <MoveMark state={move.state} />
              </td>
              <td>
                <HostLink host={move.toHost} />
              </td>
              <td>
                {move.bytesTotal > 0n ? (
                  <Usage
                    used={move.bytesDone}
                    whole={move.bytesTotal}
                    of={t('vacate.data')}
                    label={format.bytes(move.bytesTotal)}
                  />
                ) : (
                  '–'
                )}
              </td>
              <td>
                <PlanLink id={move.planId} />
              </td>
              <td className="wrap" lang="en">
                {move.reason}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
