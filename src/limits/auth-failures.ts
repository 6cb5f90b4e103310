import type { Clock } from '../lib/clock';
import { networkOf } from '../lib/peer-address';
import { rateLimited } from './rate-limited';
import type { RateLimits } from './rate-limits';
import { ShutKeys } from './shut-keys';

const MINUTE_SECONDS = 60;

interface AuthFailuresOptions {
  readonly rateLimits: RateLimits;
  readonly perMinute: number;
  readonly clock: Clock;
}

/** Tokens that were not accepted, by where they came from. Beyond the limit none from there is looked at for a while. */
export class AuthFailures {
  readonly #options: AuthFailuresOptions;
  readonly #shut: ShutKeys;

  constructor(options: AuthFailuresOptions) {
    this.#options = options;
    this.#shut = new ShutKeys(options.clock);
  }

  /** Throws RATE_LIMITED. */
  demandFew(address: string): void {
    const waitMs = this.#shut.remainingMs(networkOf(address));
    if (waitMs > 0) throw rateLimited('Too many tokens from this address were not accepted', waitMs);
  }

  /** One more. Never rejects. */
  async add(address: string): Promise<void> {
    const { rateLimits, perMinute: points } = this.#options;
    if (points === 0) return;
    const caller = networkOf(address);
    const allowance = { limiter: 'auth', caller, route: 'failures', points, seconds: MINUTE_SECONDS } as const;
    const { isAllowed, remaining, resetMs } = await rateLimits.take(allowance, 1);
    if (!isAllowed || remaining === 0) this.#shut.shut(caller, resetMs);
  }
}
