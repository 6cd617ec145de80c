// By which columns documents can be ordered, and why not by the others. Pure.
import type { Field } from '../../generated/wharf/monitor/v1/search_pb';
import { TIME } from '../../shared/search/build';
import { WHOLE } from './view-state';

/** What has an order is asked for by `field`; else why it has none. */
export type Sortable =
  | { field: string; largest: boolean; why?: undefined }
  | { field?: undefined; why: 'whole' | 'text' | 'conflict' | 'unordered' };

export type KnownField = Pick<Field, 'name' | 'type' | 'aggregatable'>;

/** First those that come last: the newest, the longest, the most. */
function largestFirst(type: string): boolean {
  return /^(date|date_nanos|long|integer|short|byte|double|float|half_float|scaled_float|unsigned_long)$/.test(
    type,
  );
}

/** A field that is not known is asked for all the same: the storage says what it thinks of it. */
export function sortableBy(column: string, fields: ReadonlyMap<string, KnownField>): Sortable {
  if (column === TIME) return { field: TIME, largest: true };
  if (column === WHOLE) return { why: 'whole' };
  const known = fields.get(column);
  if (!known) return { field: column, largest: false };
  if (known.type === 'conflict') return { why: 'conflict' };
  if (/text$/.test(known.type)) {
    const twin = fields.get(`${column}.keyword`);
    return twin?.aggregatable ? { field: twin.name, largest: false } : { why: 'text' };
  }
  return known.aggregatable ? { field: column, largest: largestFirst(known.type) } : { why: 'unordered' };
}
