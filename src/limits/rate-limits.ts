/** So many points in so many seconds, for one caller and one route. */
export interface Allowance {
  /** What is limited: `default` the requests of a user, `bytes` what they send, `ip` the requests of an address, `auth` its failures. */
  readonly limiter: 'default' | 'bytes' | 'ip' | 'auth';
  /** A user's id, or an address. */
  readonly caller: string;
  /** The path of an endpoint, or an event. */
  readonly route: string;
  /** Whole numbers, 1 or more. */
  readonly points: number;
  readonly seconds: number;
}

/** What has become of an allowance. */
export interface Standing {
  readonly isAllowed: boolean;
  /** Points that are left. */
  readonly remaining: number;
  /** Milliseconds until it is whole again. */
  readonly resetMs: number;
}

/**
 * Counts what callers do, in windows that begin with the first point taken and end by themselves. What is refused counts, too, and makes no
 * window longer. Never rejects: where the counts of all cannot be had, it goes by what was counted here, and never opens the door.
 */
export interface RateLimits {
  /** Takes a whole number of points, 1 or more, of an allowance; or refuses. */
  take(allowance: Allowance, points: number): Promise<Standing>;
}
