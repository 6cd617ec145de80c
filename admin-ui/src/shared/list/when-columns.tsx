// When something began and how long it lasted: the columns of all lists of what runs and ends.
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { MessageKey } from '../../i18n/i18n';
import { Clock, Lasted } from '../When';
import type { Column } from './Rows';

interface Ran {
  createdAt?: Timestamp | undefined;
  endedAt?: Timestamp | undefined;
}

export function whenColumns<Row extends Ran>(t: (key: MessageKey) => string): Column<Row>[] {
  return [
    {
      id: 'created',
      head: t('plan.begun'),
      sort: 'created',
      largest: true,
      cell: (one) => <Clock at={one.createdAt} />,
    },
    {
      id: 'lasted',
      head: t('plan.lasted'),
      right: true,
      cell: (one) => <Lasted from={one.createdAt} to={one.endedAt} />,
    },
  ];
}
