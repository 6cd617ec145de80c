// In which order documents are listed, as the URL has it. Pure.
import { TIME } from '../../shared/search/build';

export interface Order {
  field: string;
  descending: boolean;
}

export const NEWEST: Order = { field: TIME, descending: true };

export function isNewest({ field, descending }: Order): boolean {
  return field === TIME && descending;
}

/** `field` or `field desc`, as lists have it; none: the newest first. */
export function readOrder(text: string | null): Order {
  const [, field, way] = /^(\S+)( desc)?$/.exec(text ?? '') ?? [];
  return field ? { field, descending: way !== undefined } : NEWEST;
}

export function writeOrder(order: Order): string {
  if (isNewest(order)) return '';
  return `${order.field}${order.descending ? ' desc' : ''}`;
}

/** The order after a press on the head of a column: the other way round when it is that one already. */
export function pressed(now: Order, { field, largest }: { field: string; largest: boolean }): Order {
  return { field, descending: now.field === field ? !now.descending : largest };
}
