// What a run of a watch came to, in a few words. Pure.
import { DeliveryState, GroupState, type WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import type { MessageKey } from '../../i18n/i18n';
import type { Params } from '../../i18n/language';

/** Groups that fire; those that do come first, so that the cut leaves them. */
export function firingOf(run: Pick<WatchRun, 'groups'>): number {
  return run.groups.filter((one) => one.state === GroupState.FIRING).length;
}

const WORDS: [DeliveryState, MessageKey][] = [
  [DeliveryState.SENT, 'alerts.run.sent'],
  [DeliveryState.WAITING, 'alerts.run.waiting'],
  [DeliveryState.FAILED, 'alerts.run.failed'],
  [DeliveryState.HELD, 'alerts.run.held'],
];

export function deliveriesText(
  run: Pick<WatchRun, 'deliveries'>,
  t: (key: MessageKey, params?: Params) => string,
): string {
  return WORDS.flatMap(([state, key]) => {
    const count = run.deliveries.filter((one) => one.state === state).length;
    return count > 0 ? [t(key, { count })] : [];
  }).join(' · ');
}
