export interface Backoff {
  /** Longest delay before the first attempt; each further one doubles it. */
  readonly firstMs: number;
  readonly ceilingMs: number;
  /** 0 ≤ value < 1, like Math.random. */
  readonly random?: () => number;
}

/** By then every ceiling is long reached; more would leave the exact numbers. */
const MAX_DOUBLINGS = 30;

/**
 * Milliseconds to wait before attempt 1, 2, 3 …: between half of `firstMs · 2^(attempt − 1)` and all of it, at most
 * `ceilingMs`, so that many who failed together do not come back together.
 */
export function backoffDelay(attempt: number, { firstMs, ceilingMs, random = Math.random }: Backoff): number {
  const longestMs = Math.min(ceilingMs, firstMs * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS));
  return Math.round(longestMs * (0.5 + random() / 2));
}
