const LONGEST_WAIT_MS = 30_000;

/** Full jitter over a doubling span: many tabs never come back at once. `random` is 0 to 1. */
export function waitBefore(attempt: number, random: number): number {
  const span = Math.min(LONGEST_WAIT_MS, 1_000 * 2 ** Math.min(attempt, 5));
  return Math.round(span / 2 + (random * span) / 2);
}

/** Milliseconds before a call is made again. */
export function retryAfter(times: number): number {
  return Math.min(8_000, 400 * 2 ** times) * (0.5 + Math.random() / 2);
}
