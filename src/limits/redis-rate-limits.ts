import { RateLimiterRedis } from 'rate-limiter-flexible';
import { isDoneWithin, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { RedisKeys } from '../redis/keys';
import type { RedisConnections } from '../redis/redis-connections';
import type { Allowance, RateLimits, Standing } from './rate-limits';
import { ShutKeys } from './shut-keys';

/** A Redis that has not answered by then is away: a caller waits no longer than that, and only the first ones do. */
const PATIENCE_MS = 1_000;
/** While Redis is away, it is tried so often, and nobody waits for that. */
const TRY_AGAIN_MS = 1_000;

interface RedisRateLimitsOptions {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  /** Goes on where Redis is away. It counts all the time, so that an outage gives nobody a fresh start here. */
  readonly insurance: RateLimits;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Counts of all instances: one counter with a time to live per allowance, `throttle:<limiter>:<caller>:<route>`. */
export class RedisRateLimits implements RateLimits {
  readonly #options: RedisRateLimitsOptions;
  readonly #limiter: RateLimiterRedis;
  readonly #shut: ShutKeys;
  readonly #outage: Outage;
  #isAway = false;
  /** Monotonic; while Redis is away. */
  #tryAgainAt = 0;

  constructor(options: RedisRateLimitsOptions) {
    const { redis, clock, log } = options;
    this.#options = options;
    this.#shut = new ShutKeys(clock);
    this.#outage = new Outage(log, {
      began: 'rate limits count in memory, each instance for itself: Redis is away',
      ended: 'rate limits count in Redis again',
    });
    // It only counts: `penalty` answers what was taken, and whether that is too much is for the allowance to say.
    this.#limiter = new RateLimiterRedis({
      storeClient: redis.client('command'),
      points: 0,
      duration: 1,
      keyPrefix: '',
      rejectIfRedisNotReady: true,
    });
  }

  async take(allowance: Allowance, points: number): Promise<Standing> {
    const { insurance, keys } = this.#options;
    const { limiter, caller, route } = allowance;
    const key = keys.throttle(limiter, caller, route);
    const resetMs = this.#shut.remainingMs(key);
    if (resetMs > 0) return { isAllowed: false, remaining: 0, resetMs };
    const own = await insurance.take(allowance, points);
    const standing = (await this.#ask(key, allowance, points)) ?? own;
    if (!standing.isAllowed) this.#shut.shut(key, standing.resetMs);
    return standing;
  }

  /** Null: Redis is away. */
  async #ask(key: string, allowance: Allowance, points: number): Promise<Standing | null> {
    if (!this.#isAway) return this.#count(key, allowance, points);
    const now = this.#options.clock.monotonic();
    if (now >= this.#tryAgainAt) {
      this.#tryAgainAt = Number.POSITIVE_INFINITY;
      void this.#count(key, allowance, points);
    }
    return null;
  }

  async #count(key: string, { points: most, seconds }: Allowance, points: number): Promise<Standing | null> {
    const { redis, clock } = this.#options;
    let standing: Standing | null = null;
    const counted = redis
      .ask('count for a limit', () => this.#limiter.penalty(key, points, { customDuration: seconds }))
      .then(({ consumedPoints, msBeforeNext }) => {
        standing = {
          isAllowed: consumedPoints <= most,
          remaining: Math.max(0, most - consumedPoints),
          resetMs: Math.max(1, msBeforeNext),
        };
      });
    try {
      if (!(await isDoneWithin(clock, counted, PATIENCE_MS))) throw new Error('Redis has not answered in time.');
      this.#isAway = false;
      this.#outage.worked();
    } catch (fault) {
      // Who comes too late must not end the process.
      counted.catch(() => {});
      this.#isAway = true;
      this.#tryAgainAt = clock.monotonic() + TRY_AGAIN_MS;
      this.#outage.failed(fault);
    }
    return standing;
  }
}
