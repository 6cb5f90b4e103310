import type { Clock } from '../lib/clock';
import type { Allowance, RateLimits } from './rate-limits';

/** Share of an allowance that is taken in advance. By twice as much, for each instance, a user may do too much or too little. */
const SHARE = 1 / 20;
/** Who has used up what was lent while the answer is still on its way. */
const UNANSWERED_RETRY_MS = 100;

/**
 * Points of a user's allowance that were taken in advance, so that looking whether there are any asks nobody: they are asked for while the last
 * are used, and until the answer comes as many again are lent.
 */
export class Lease {
  readonly #rateLimits: RateLimits;
  readonly #allowance: Allowance;
  readonly #clock: Clock;
  readonly #size: number;
  /** Below zero: lent. */
  #left = 0;
  #isAsking = false;
  /** Monotonic. */
  #shutUntil = 0;

  constructor({ rateLimits, allowance, clock }: { rateLimits: RateLimits; allowance: Allowance; clock: Clock }) {
    this.#rateLimits = rateLimits;
    this.#allowance = allowance;
    this.#clock = clock;
    this.#size = Math.max(1, Math.floor(allowance.points * SHARE));
  }

  /** Milliseconds to wait; 0: they are taken. */
  take(points: number): number {
    const shutMs = this.#shutUntil - this.#clock.monotonic();
    if (shutMs > 0) return Math.ceil(shutMs);
    if (this.#left <= -this.#size) return UNANSWERED_RETRY_MS;
    this.#left -= points;
    if (this.#left < this.#size / 2 && !this.#isAsking) void this.#ask();
    return 0;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    const wanted = Math.ceil(this.#size - this.#left);
    const { isAllowed, resetMs } = await this.#rateLimits.take(this.#allowance, wanted);
    this.#isAsking = false;
    if (isAllowed) {
      this.#left += wanted;
      return;
    }
    this.#left = 0;
    this.#shutUntil = this.#clock.monotonic() + resetMs;
  }
}
