// The name of a column: a press orders the documents by it. Where there is no such order it says why.
import { Tooltip } from '@patternfly/react-core';
import { type MessageKey, useT } from '../../i18n/i18n';
import { type Order, pressed } from './order';
import { type KnownField, type Sortable, sortableBy } from './sortable';

const WHY: Record<NonNullable<Sortable['why']>, MessageKey> = {
  whole: 'discover.sort.whole',
  text: 'discover.sort.text',
  conflict: 'discover.sort.conflict',
  unordered: 'discover.sort.unordered',
};

export interface Sorting {
  order: Order;
  /** By name. */
  fields: ReadonlyMap<string, KnownField>;
  follow: boolean;
  onOrder: (order: Order) => void;
}

interface SortHeadProps extends Sorting {
  column: string;
  name: string;
}

export function ariaSort(column: string, { order, fields }: Sorting): 'ascending' | 'descending' | undefined {
  if (sortableBy(column, fields).field !== order.field) return undefined;
  return order.descending ? 'descending' : 'ascending';
}

export function SortHead({ column, name, order, fields, follow, onOrder }: SortHeadProps) {
  const t = useT();
  const able = sortableBy(column, fields);
  const on = able.field === order.field;
  const why = able.why ? t(WHY[able.why]) : follow ? t('discover.sort.follow') : undefined;
  const words = (
    <>
      <span className="head-name">{name}</span>
      {able.why ? null : (
        <span aria-hidden="true" className={on ? 'arrow on' : 'arrow'}>
          {on ? (order.descending ? '↓' : '↑') : '↕'}
        </span>
      )}
    </>
  );
  if (why !== undefined) {
    return (
      <Tooltip content={why}>
        <button type="button" className="sort" aria-disabled="true" data-why-not={why}>
          {words}
        </button>
      </Tooltip>
    );
  }
  return (
    <button
      type="button"
      className="sort"
      onClick={() => able.field !== undefined && onOrder(pressed(order, able))}
    >
      {words}
    </button>
  );
}
