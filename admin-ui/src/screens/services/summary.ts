// The summaries of services in the span of the page.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ListOptionsSchema } from '../../generated/wharf/v1/common_pb';

const MOST_MS = 24 * 3_600_000;

/** A summary is of a day at most. */
export function windowOf(span: number): number {
  return Math.min(Math.max(Math.round(span), 1_000), MOST_MS);
}

export function servicesInput(
  { to, span }: { to: number; span: number },
  options: MessageInitShape<typeof ListOptionsSchema>,
) {
  return { windowMs: BigInt(windowOf(span)), untilMs: BigInt(Math.round(to)), options };
}
