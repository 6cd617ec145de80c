// What the screen asks of the monitoring node beside its lists.
import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { useQueryClient } from '@tanstack/react-query';
import { refusalOf } from '../../api/errors';
import { useMonitorChange } from '../../api/monitor';
import { Alerts } from '../../generated/wharf/monitor/v1/alerts_pb';
import { Watches } from '../../generated/wharf/monitor/v1/watches_pb';

/** The object is of another version than the one that was read, or is there already. */
const CONFLICT = 'MON0008';

export function isConflict(error: unknown): boolean {
  return error !== null && error !== undefined && refusalOf(error).code === CONFLICT;
}

/** After a change every list that may show it is fetched again. */
export function useRenew(): () => void {
  const queries = useQueryClient();
  return () => {
    for (const service of [Alerts.typeName, Watches.typeName]) {
      void queries.invalidateQueries({ queryKey: [service] });
    }
  };
}

/** A change of an alert or a watch. */
export function useHandle<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  done?: (answer: MessageShape<O>) => void,
) {
  const renew = useRenew();
  return useMonitorChange(method, {
    done: (answer) => {
      renew();
      done?.(answer);
    },
  });
}
