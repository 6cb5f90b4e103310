export interface BackoffOptions {
  /** Longest delay before the first retry; each further one doubles it. */
  readonly firstMs: number;
  readonly ceilingMs: number;
}

/** By then every ceiling is long reached; more would leave the exact numbers. */
const MAX_DOUBLINGS = 30;

/** So many times what the server asked for is the longest wait. */
const MOST_OF_ASKED = 2;

/** Growing delays with jitter (CL3): between half of the longest delay and all of it, so that many do not come back together. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /**
   * `atLeastMs` is what the server asked for; the jitter comes on top of it. It knows its trouble: whoever waited much longer would be
   * away long after it is over.
   */
  nextMs(atLeastMs = 0): number {
    const { firstMs, ceilingMs } = this.#options;
    const grownMs = Math.min(ceilingMs, firstMs * 2 ** Math.min(this.#attempts, MAX_DOUBLINGS));
    this.#attempts += 1;
    const jitteredMs = (longestMs: number): number => longestMs * (0.5 + this.#random() / 2);
    if (atLeastMs === 0) return Math.round(jitteredMs(grownMs));
    const longestMs = Math.min(grownMs, MOST_OF_ASKED * atLeastMs);
    return Math.round(Math.max(jitteredMs(longestMs), atLeastMs * (1 + this.#random() / 4)));
  }

  reset(): void {
    this.#attempts = 0;
  }
}
