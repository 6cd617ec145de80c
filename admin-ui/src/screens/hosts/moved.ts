// How far a vacate is. Pure.
import type { Vacate } from '../../generated/wharf/v1/allocators_pb';

/** Instances that lie on another host now. */
export function movedOf(vacate: Pick<Vacate, 'moves'>): number {
  return vacate.moves.filter((move) => move.state === 'moved').length;
}
