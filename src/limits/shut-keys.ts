import type { Clock } from '../lib/clock';

/** Enough for any attack that one process survives; beyond it, those that were shut first are asked again a little early. */
const MAX_KEYS = 10_000;

/** Who is refused until when, so that who goes on is refused without asking anybody. */
export class ShutKeys {
  readonly #clock: Clock;
  /** Monotonic; in the order in which they were shut. */
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  shut(key: string, ms: number): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.monotonic() + ms);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MAX_KEYS) return;
      this.#until.delete(oldest);
    }
  }

  /** Milliseconds until it is open; 0: it is. */
  remainingMs(key: string): number {
    const until = this.#until.get(key);
    if (until === undefined) return 0;
    const ms = until - this.#clock.monotonic();
    if (ms > 0) return Math.ceil(ms);
    this.#until.delete(key);
    return 0;
  }
}
