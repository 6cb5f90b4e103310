import type { Clock } from '../lib/clock';

/** So many seconds' worth may come at once: pasting, opening a page of documents, coming back after a pause. */
const BURST_SECONDS = 5;
/** Who was refused is let in again with so many seconds' worth, and not for one request at a time. */
const RESUME_SECONDS = 1;

/** So much per second, of one connection. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #level: number;
  #at: number;
  #isShut = false;

  constructor({ perSecond, clock }: { perSecond: number; clock: Clock }) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#level = perSecond * BURST_SECONDS;
    this.#at = clock.monotonic();
  }

  /**
   * Milliseconds to wait; 0: it is taken. Whoever finds anything left takes what they need, and the rest is paid off by those who come later: so
   * everything is let through that is allowed at all, however large.
   */
  take(amount: number): number {
    const waitMs = this.waitMs();
    if (waitMs === 0) this.#level -= amount;
    return waitMs;
  }

  /** The same, and nothing is taken. */
  waitMs(): number {
    const now = this.#clock.monotonic();
    const refilled = this.#level + ((now - this.#at) * this.#perSecond) / 1_000;
    this.#level = Math.min(this.#perSecond * BURST_SECONDS, refilled);
    this.#at = now;
    const needed = this.#isShut ? this.#perSecond * RESUME_SECONDS : Number.MIN_VALUE;
    this.#isShut = this.#level < needed;
    if (!this.#isShut) return 0;
    return Math.ceil(((this.#perSecond * RESUME_SECONDS - this.#level) * 1_000) / this.#perSecond);
  }
}
