import type { Clock } from '../lib/clock';
import { Lease } from './lease';
import type { Allowance, RateLimits } from './rate-limits';

export interface UserLimitSettings {
  readonly userEditsPerSecond: number;
  readonly userReceivedBytesPerSecond: number;
  readonly userJoinsPerMinute: number;
  readonly userCreatesPerMinute: number;
}

/** What is counted of a user: some events, and everything they send. */
export type UserLimit = 'operation:submit' | 'session:join' | 'session:create' | 'bytes';

/** Windows are as short as they may be without asking Redis all the time: this is how long the worst wait is. */
const SHORT_SECONDS = 10;
const MINUTE_SECONDS = 60;
/** Users remembered here; those beyond it begin with an empty lease, and what is counted of them stays where it is counted. */
const MAX_USERS = 10_000;

/** What one user may do, on all their connections. */
export class UserAllowances {
  readonly #leases: Readonly<Partial<Record<UserLimit, Lease>>>;

  constructor(leases: Readonly<Partial<Record<UserLimit, Lease>>>) {
    this.#leases = leases;
  }

  /** Milliseconds to wait; 0: it is taken. */
  take(limit: UserLimit, points: number): number {
    return this.#leases[limit]?.take(points) ?? 0;
  }
}

interface UserLimitsOptions {
  readonly rateLimits: RateLimits;
  readonly settings: UserLimitSettings;
  readonly clock: Clock;
}

/** Limits per user that are looked at so often that they are taken in advance. */
export class UserLimits {
  readonly #options: UserLimitsOptions;
  /** Those not asked for longest first. */
  readonly #users = new Map<string, UserAllowances>();

  constructor(options: UserLimitsOptions) {
    this.#options = options;
  }

  of(userId: string): UserAllowances {
    const allowances = this.#users.get(userId) ?? this.#begin(userId);
    this.#users.delete(userId);
    this.#users.set(userId, allowances);
    for (const oldest of this.#users.keys()) {
      if (this.#users.size <= MAX_USERS) break;
      this.#users.delete(oldest);
    }
    return allowances;
  }

  #begin(caller: string): UserAllowances {
    const { rateLimits, settings, clock } = this.#options;
    const leases: Partial<Record<UserLimit, Lease>> = {};
    const limit = (
      name: UserLimit,
      perWindow: number,
      rest: Pick<Allowance, 'limiter' | 'route' | 'seconds'>,
    ): void => {
      if (perWindow > 0)
        leases[name] = new Lease({ rateLimits, clock, allowance: { ...rest, caller, points: perWindow } });
    };
    const event = (route: UserLimit, seconds: number) => ({ limiter: 'default', route, seconds }) as const;
    limit('operation:submit', settings.userEditsPerSecond * SHORT_SECONDS, event('operation:submit', SHORT_SECONDS));
    limit('session:join', settings.userJoinsPerMinute, event('session:join', MINUTE_SECONDS));
    limit('session:create', settings.userCreatesPerMinute, event('session:create', MINUTE_SECONDS));
    limit('bytes', settings.userReceivedBytesPerSecond * SHORT_SECONDS, {
      limiter: 'bytes',
      route: 'received',
      seconds: SHORT_SECONDS,
    });
    return new UserAllowances(leases);
  }
}
