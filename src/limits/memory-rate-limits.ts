import type { Clock } from '../lib/clock';
import type { Allowance, RateLimits, Standing } from './rate-limits';

/** Windows that are kept; beyond it those that began first are forgotten, and who made so many gains little by it. */
const MAX_WINDOWS = 100_000;

interface Window {
  taken: number;
  /** Monotonic. */
  readonly endsAt: number;
}

/** Counts of this process. */
export class MemoryRateLimits implements RateLimits {
  readonly #clock: Clock;
  readonly #maxWindows: number;
  /** In the order in which they began. */
  readonly #windows = new Map<string, Window>();

  constructor({ clock, maxWindows = MAX_WINDOWS }: { clock: Clock; maxWindows?: number }) {
    this.#clock = clock;
    this.#maxWindows = maxWindows;
  }

  async take({ limiter, caller, route, points: most, seconds }: Allowance, points: number): Promise<Standing> {
    const now = this.#clock.monotonic();
    const window = this.#window(`${limiter}:${caller}:${route}`, now, seconds * 1_000);
    window.taken += points;
    return {
      isAllowed: window.taken <= most,
      remaining: Math.max(0, most - window.taken),
      resetMs: Math.ceil(window.endsAt - now),
    };
  }

  #window(key: string, now: number, lengthMs: number): Window {
    const known = this.#windows.get(key);
    if (known && known.endsAt > now) return known;
    this.#windows.delete(key);
    const begun = { taken: 0, endsAt: now + lengthMs };
    this.#windows.set(key, begun);
    this.#letGo(now);
    return begun;
  }

  #letGo(now: number): void {
    for (const [key, { endsAt }] of this.#windows) {
      if (endsAt > now && this.#windows.size <= this.#maxWindows) return;
      this.#windows.delete(key);
    }
  }
}
