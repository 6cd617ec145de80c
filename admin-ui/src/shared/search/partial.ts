// Whether an answer is of all that was asked. Pure.
import type { SearchAnswer } from '../../api/monitor';

export interface Partial {
  timedOut: boolean;
  failed: number;
  total: number;
}

/** Nothing when it is whole. */
export function partialOf(answers: readonly SearchAnswer[]): Partial | undefined {
  const failed = answers.reduce((sum, one) => sum + (one._shards?.failed ?? 0), 0);
  const total = answers.reduce((sum, one) => sum + (one._shards?.total ?? 0), 0);
  const timedOut = answers.some((one) => one.timed_out === true);
  return failed > 0 || timedOut ? { timedOut, failed, total } : undefined;
}
