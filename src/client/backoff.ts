export interface BackoffOptions {
  /** Longest delay before the first retry; each further one doubles it. */
  readonly firstMs: number;
  readonly ceilingMs: number;
}

/** By then every ceiling is long reached; more would leave the exact numbers. */
const MAX_DOUBLINGS = 30;

/** Growing delays with jitter (CL3): between half of the longest delay and all of it, so that many do not come back together. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** `atLeastMs` is what the server asked for; the jitter comes on top of it. */
  nextMs(atLeastMs = 0): number {
    const { firstMs, ceilingMs } = this.#options;
    const longestMs = Math.min(ceilingMs, firstMs * 2 ** Math.min(this.#attempts, MAX_DOUBLINGS));
    this.#attempts += 1;
    const jitteredMs = longestMs * (0.5 + this.#random() / 2);
    return Math.round(atLeastMs > 0 ? Math.max(jitteredMs, atLeastMs * (1 + this.#random() / 4)) : jitteredMs);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
