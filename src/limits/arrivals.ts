import { networkOf } from '../lib/peer-address';
import { rateLimited } from './rate-limited';
import type { RateLimits } from './rate-limits';

export interface ArrivalSettings {
  readonly userConnectsPerMinute: number;
  readonly ipConnectsPerMinute: number;
  readonly maxConnectionsPerUser: number;
  readonly maxConnectionsPerIp: number;
}

const MINUTE_SECONDS = 60;
/** How long somebody waits who has too many connections: until one of them ends. */
const FULL_RETRY_MS = 5_000;
/** Up to so many times what is allowed from one address are let in to be told why they may not stay; beyond it the door is closed. */
const TOLD_TIMES = 2;

/** Numbers by name; those that are zero are not kept. */
class Tally {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  remove(name: string): void {
    const left = this.of(name) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
  }
}

/**
 * Who may connect (LM5): how fast one user and one address make connections, on all instances; and how many they have, on this one, because
 * that is what they cost it, and because a count that others share would outlive an instance that is killed.
 */
export class Arrivals {
  readonly #rateLimits: RateLimits;
  readonly #settings: ArrivalSettings;
  readonly #ofAddress = new Tally();
  readonly #ofUser = new Tally();

  constructor({ rateLimits, settings }: { rateLimits: RateLimits; settings: ArrivalSettings }) {
    this.#rateLimits = rateLimits;
    this.#settings = settings;
  }

  /** Whether somebody from there is let in at all, be it to be told that they may not stay. */
  isDoorOpen(address: string): boolean {
    const { maxConnectionsPerIp: most } = this.#settings;
    return most === 0 || this.#ofAddress.of(networkOf(address)) < most * TOLD_TIMES;
  }

  /** A connection is there, of whomever. Answers what to call when it has gone. */
  came(address: string): () => void {
    const network = networkOf(address);
    this.#ofAddress.add(network);
    return () => this.#ofAddress.remove(network);
  }

  /** The same for a connection that has said whose it is. */
  signedIn(userId: string): () => void {
    this.#ofUser.add(userId);
    return () => this.#ofUser.remove(userId);
  }

  /** Before it is asked who it is. Rejects with RATE_LIMITED. */
  async demandRoomFor(address: string): Promise<void> {
    const { maxConnectionsPerIp: most, ipConnectsPerMinute } = this.#settings;
    const network = networkOf(address);
    // It is counted itself.
    if (most > 0 && this.#ofAddress.of(network) > most)
      throw rateLimited('Too many connections from this address', FULL_RETRY_MS);
    await this.#demandSlow('ip', network, ipConnectsPerMinute, 'Too many new connections from this address');
  }

  /** Before it is let in. Rejects with RATE_LIMITED. */
  async demandRoomForUser(userId: string): Promise<void> {
    const { maxConnectionsPerUser: most, userConnectsPerMinute } = this.#settings;
    await this.#demandSlow('default', userId, userConnectsPerMinute, 'Too many new connections of this user');
    if (most > 0 && this.#ofUser.of(userId) >= most)
      throw rateLimited('Too many connections of this user', FULL_RETRY_MS);
  }

  async #demandSlow(limiter: 'ip' | 'default', caller: string, points: number, what: string): Promise<void> {
    if (points === 0) return;
    const allowance = { limiter, caller, route: 'connect', points, seconds: MINUTE_SECONDS };
    const { isAllowed, resetMs } = await this.#rateLimits.take(allowance, 1);
    if (!isAllowed) throw rateLimited(what, resetMs);
  }
}
