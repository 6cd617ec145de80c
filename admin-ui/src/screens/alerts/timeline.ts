// What runs of a watch tell about one alert: its value over time and what was said. Pure.
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Alert } from '../../generated/wharf/monitor/v1/alerts_pb';
import { type Delivery, DeliveryState, type WatchRun } from '../../generated/wharf/monitor/v1/watches_pb';
import { numberOf } from './figures';
import { groupText } from './spans';

export type ValuePoint = [ms: number, value: number | null];

/** What was measured of the group by each run, oldest first; a run that found no such group is a gap. */
export function valuesOf(runs: readonly WatchRun[], group: Alert['group']): ValuePoint[] {
  const name = groupText(group);
  return runs
    .map((run): ValuePoint => {
      const found = run.groups.find((one) => groupText(one.group) === name);
      return [run.startedAt ? timestampMs(run.startedAt) : 0, found ? numberOf(found.value) : null];
    })
    .sort((a, b) => a[0] - b[0]);
}

/**
 * Values of the earlier span at the moments of now's runs that they are next to: runs of two spans are never at
 * the very same moments, and could not be read beside each other.
 */
export function alongside(earlier: readonly ValuePoint[], now: readonly ValuePoint[]): ValuePoint[] {
  const moments = now.map(([at]) => at);
  const [first = 0, last = first] = [moments[0], moments.at(-1)];
  const near = (last - first) / Math.max(moments.length - 1, 1) / 2;
  const taken = new Set<number>();
  return earlier.map(([at, value]) => {
    const beside = moments.reduce(
      (one, other) => (Math.abs(other - at) < Math.abs(one - at) ? other : one),
      first,
    );
    if (taken.has(beside) || Math.abs(beside - at) > near) return [at, value];
    taken.add(beside);
    return [beside, value];
  });
}

/**
 * The span that the chart is of: from the first run that was read where those before it were left out, and to the
 * last one, which may be newer than the page's own time.
 */
export function drawnSpan(
  runs: readonly WatchRun[],
  total: number,
  { from, to }: { from: number; to: number },
): { from: number; to: number } {
  const starts = runs.map(startOf);
  const cut = runs.length > 0 && runs.length < total;
  return { from: cut ? Math.max(from, Math.min(...starts)) : from, to: Math.max(to, ...starts) };
}

export interface Told {
  run: string;
  delivery: Delivery;
  /** Held ones of the runs that followed are told as one. */
  times: number;
}

/** What was said of an alert or kept back, the latest first. */
export function toldOf(runs: readonly WatchRun[], alertId: string): Told[] {
  const told: Told[] = [];
  const ordered = [...runs].sort((a, b) => startOf(b) - startOf(a));
  for (const run of ordered) {
    for (const delivery of run.deliveries) {
      if (delivery.alertId !== alertId) continue;
      const last = told[told.length - 1];
      const held = delivery.state === DeliveryState.HELD && last?.delivery.state === DeliveryState.HELD;
      if (held) last.times += 1;
      else told.push({ run: run.id, delivery, times: 1 });
    }
  }
  return told;
}

function startOf(run: WatchRun): number {
  return run.startedAt ? timestampMs(run.startedAt) : 0;
}
