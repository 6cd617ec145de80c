// The vacate of a host that runs, or the last one, with its progress.
import { useCall } from '../../api/call';
import { type Allocator, Allocators, VacateStatus } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { Card } from '../../shared/Card';
import { Actor } from '../../shared/names/Subject';
import { Refused } from '../../shared/Refused';
import { VacateMark } from '../../shared/status/marks';
import { Lasted } from '../../shared/When';
import { CancelVacate } from './CancelVacate';
import { MoveTable } from './MoveTable';
import { movedOf } from './moved';

export function Vacates({ host }: { host: Allocator }) {
  const t = useT();
  const list = useCall(
    Allocators.method.listVacates,
    { allocator: host.id, options: { pageSize: 1, orderBy: 'created desc' } },
    { every: 5_000 },
  );
  const vacate = list.data?.vacates[0];
  if (list.error) return <Refused error={list.error} retry={() => void list.refetch()} />;
  if (!vacate) return null;
  return (
    <Card
      flush
      title={
        <span className="line">
          {t('vacate.last')} <VacateMark status={vacate.status} />
          <span className="quiet">
            {t('vacate.progress', { moved: movedOf(vacate), all: vacate.moves.length })} ·{' '}
            <Lasted from={vacate.createdAt} to={vacate.endedAt} /> · <Actor actor={vacate.actor} />
          </span>
        </span>
      }
      actions={vacate.status === VacateStatus.RUNNING ? <CancelVacate vacate={vacate} /> : null}
    >
      {vacate.reason ? (
        <p className="note" lang="en">
          {vacate.reason}
        </p>
      ) : null}
      <MoveTable moves={vacate.moves} label={t('vacate.last')} />
    </Card>
  );
}
