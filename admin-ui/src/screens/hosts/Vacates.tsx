// The vacate of a host that runs, or the last one, with its progress.
import { useQueryClient } from '@tanstack/react-query';
import { mutation, useCall, useChange } from '../../api/call';
import { useRights } from '../../api/session';
import { type Allocator, Allocators, VacateStatus } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { ActionButton } from '../../shared/ActionButton';
import { ApiRequest } from '../../shared/ApiRequest';
import { Card } from '../../shared/Card';
import { Actor } from '../../shared/names/Subject';
import { Refused } from '../../shared/Refused';
import { VacateMark } from '../../shared/status/marks';
import { Lasted } from '../../shared/When';
import { MoveTable } from './MoveTable';

export function Vacates({ host }: { host: Allocator }) {
  const t = useT();
  const rights = useRights();
  const queries = useQueryClient();
  const list = useCall(
    Allocators.method.listVacates,
    { allocator: host.id, options: { pageSize: 1, orderBy: 'created desc' } },
    { every: 5_000 },
  );
  const cancel = useChange(Allocators.method.cancelVacate, () => {
    void queries.invalidateQueries({ queryKey: ['wharf.v1.Allocators'] });
  });
  const vacate = list.data?.vacates[0];
  if (list.error) return <Refused error={list.error} retry={() => void list.refetch()} />;
  if (!vacate) return null;
  const wish = { vacateId: vacate.id };
  const runs = vacate.status === VacateStatus.RUNNING;
  const moved = vacate.moves.filter((move) => move.state === 'moved').length;
  return (
    <Card
      flush
      title={
        <span className="line">
          {t('vacate.last')} <VacateMark status={vacate.status} />
          <span className="quiet">
            {t('vacate.progress', { moved, all: vacate.moves.length })} ·{' '}
            <Lasted from={vacate.createdAt} to={vacate.endedAt} /> · <Actor actor={vacate.actor} />
          </span>
        </span>
      }
      actions={
        runs ? (
          <>
            <ActionButton
              variant="secondary"
              size="sm"
              isLoading={cancel.isPending}
              whyNot={
                !rights.administers ? t('why.admin') : vacate.cancelling ? t('plan.cancelling') : undefined
              }
              onClick={() => cancel.mutate({ ...wish, mutation: mutation() })}
            >
              {t('vacate.cancel')}
            </ActionButton>
            <ApiRequest plain of={t('vacate.cancel')} method={Allocators.method.cancelVacate} input={wish} />
          </>
        ) : null
      }
    >
      {cancel.error ? <Refused error={cancel.error} /> : null}
      {vacate.reason ? (
        <p className="note" lang="en">
          {vacate.reason}
        </p>
      ) : null}
      <MoveTable moves={vacate.moves} label={t('vacate.last')} />
    </Card>
  );
}
