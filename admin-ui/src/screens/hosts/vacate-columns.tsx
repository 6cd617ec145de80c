// Columns of vacates, the same wherever they are listed, in the order of those of plans.
import { Link } from 'react-router';
import { useFormat } from '../../format/use-format';
import { type Vacate, VacateStatus } from '../../generated/wharf/v1/allocators_pb';
import { useT } from '../../i18n/i18n';
import { English } from '../../shared/English';
import type { Column } from '../../shared/list/Rows';
import { whenColumns } from '../../shared/list/when-columns';
import { Actor } from '../../shared/names/Subject';
import { VacateMark } from '../../shared/status/marks';
import { CancelVacate } from './CancelVacate';
import { movedOf } from './moved';

export function useVacateColumns({ withHost }: { withHost: boolean }): Column<Vacate>[] {
  const t = useT();
  const format = useFormat();
  const columns: Column<Vacate>[] = [];
  if (withHost) {
    columns.push({
      id: 'host',
      head: t('host'),
      sort: 'host',
      cell: (one) => <Link to={`/hosts/${encodeURIComponent(one.host)}?tab=plans`}>{one.host}</Link>,
    });
  }
  columns.push(
    { id: 'status', head: t('state'), sort: 'status', cell: (one) => <VacateMark status={one.status} /> },
    {
      id: 'moved',
      head: t('move.moved'),
      right: true,
      cell: (one) => `${format.number(movedOf(one))} / ${format.number(one.moves.length)}`,
    },
    { id: 'actor', head: t('plan.actor'), sort: 'actor', cell: (one) => <Actor actor={one.actor} /> },
    ...whenColumns<Vacate>(t),
    {
      id: 'remark',
      head: t('plan.remark'),
      cell: (one) => <English title={one.reason}>{one.reason}</English>,
    },
    {
      id: 'actions',
      head: '',
      right: true,
      cell: (one) => (one.status === VacateStatus.RUNNING ? <CancelVacate vacate={one} /> : null),
    },
  );
  return columns;
}
