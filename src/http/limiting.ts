import type { Request, Response } from 'express';
import { networkOf, peerAddress } from '../lib/peer-address';
import { rateLimited } from '../limits/rate-limited';
import type { Allowance, RateLimits } from '../limits/rate-limits';
import type { UserLimits } from '../limits/user-limits';
import type { Endpoint } from './endpoints';

export interface LimitingServices {
  readonly rateLimits: RateLimits;
  readonly userLimits: UserLimits;
  readonly httpLimits: { readonly userHttpRequestsPerMinute: number; readonly ipHttpRequestsPerMinute: number };
  /** Proxies that may say where a request came from. */
  readonly trustProxy: number;
}

const MINUTE_SECONDS = 60;

/** Limits of requests (LM7). Each rejects, or throws, with RATE_LIMITED. */
export class Limiting {
  readonly #services: LimitingServices;

  constructor(services: LimitingServices) {
    this.#services = services;
  }

  /** Before anything of a request is read. */
  async demandOfAddress(request: Request, response: Response): Promise<void> {
    const { httpLimits, trustProxy } = this.#services;
    const caller = networkOf(peerAddress(request, trustProxy));
    await this.#demand({ limiter: 'ip', caller, route: '/api' }, httpLimits.ipHttpRequestsPerMinute, response);
  }

  /** When it is known who calls, and before the body is read. */
  async demandOfUser(userId: string, { path, countsAs }: Endpoint, response: Response): Promise<void> {
    const { httpLimits, userLimits } = this.#services;
    const waitMs = countsAs === undefined ? 0 : userLimits.of(userId).take(countsAs, 1);
    if (waitMs > 0) throw rateLimited(`Too much of ${countsAs} by this user`, waitMs);
    const kind = { limiter: 'default', caller: userId, route: path } as const;
    await this.#demand(kind, httpLimits.userHttpRequestsPerMinute, response);
  }

  /** A body has come, and nobody has parsed it. */
  demandBytes(userId: string, bytes: number): void {
    const waitMs = this.#services.userLimits.of(userId).take('bytes', bytes);
    if (waitMs > 0) throw rateLimited('Too many bytes of this user', waitMs);
  }

  async #demand(
    kind: Pick<Allowance, 'limiter' | 'caller' | 'route'>,
    points: number,
    response: Response,
  ): Promise<void> {
    if (points === 0) return;
    const allowance = { ...kind, points, seconds: MINUTE_SECONDS };
    const { isAllowed, remaining, resetMs } = await this.#services.rateLimits.take(allowance, 1);
    // As in draft-ietf-httpapi-ratelimit-headers: quota, window, what is left of it, and seconds until it is whole.
    response.set({
      'RateLimit-Policy': `"${kind.limiter}";q=${points};w=${MINUTE_SECONDS}`,
      RateLimit: `"${kind.limiter}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`,
    });
    if (!isAllowed) throw rateLimited(`Too many requests to ${kind.route}`, resetMs);
  }
}
