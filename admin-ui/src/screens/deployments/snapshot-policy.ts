// The snapshot policy of a deployment as it is written into fields, and what is sent for it. Pure.
import type { Deployment } from '../../generated/wharf/v1/deployments_pb';

const MINUTE_S = 60;
/** What directors take when nothing is said. */
export const USUAL = { minutes: '30', keep: '100' };

export interface PolicyFields {
  /** Empty: no snapshots are taken. */
  repository: string;
  /** Empty: as it is, else the usual. */
  minutes: string;
  keep: string;
}

export function policyOf({ snapshots }: Pick<Deployment, 'snapshots'>): PolicyFields {
  if (!snapshots) return { repository: '', minutes: '', keep: '' };
  return {
    repository: snapshots.repository,
    minutes: String(Number(snapshots.intervalSeconds) / MINUTE_S),
    keep: String(snapshots.keep),
  };
}

/** Also the present one, which may be gone by now. */
export function choicesOf(known: readonly { name: string }[], present: string): string[] {
  return [...new Set([...known.map((one) => one.name), present])].filter(Boolean);
}

/** Whether it can be sent; the directors know the bounds. */
export function isFilledIn({ minutes, keep }: PolicyFields): boolean {
  const seconds = Number(minutes) * MINUTE_S;
  return (minutes === '' || seconds >= 1) && (keep === '' || (Number(keep) >= 1 && /^\d+$/.test(keep)));
}

export function isSame(a: PolicyFields, b: PolicyFields): boolean {
  return a.repository === b.repository && a.minutes === b.minutes && a.keep === b.keep;
}

/** As the call takes it: zero is what was not written. */
export function wishOf({ repository, minutes, keep }: PolicyFields) {
  return {
    repository: repository.trim(),
    intervalSeconds: BigInt(Math.round(Number(minutes) * MINUTE_S)),
    keep: Number(keep),
  };
}
