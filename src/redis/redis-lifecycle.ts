import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { explain } from './redis-faults';
import type { RedisClient, Role } from './redis-clients';
import type { RedisPlace } from './redis-place';

/** While Redis is away, so often somebody is reminded. */
const REMINDER_MS = 60_000;

interface Outage {
  /** Connections that are lost now. */
  readonly lost: Set<Role>;
  readonly since: number;
  remindAt: number;
  attempts: number;
  errors: number;
}

/**
 * Says how the connections are. An outage begins with the first one that is lost and ends when the last is back: a line with what is wrong and
 * one that it is tried again, a reminder with counts every minute, and a line at its end, however many connections tried however often.
 */
export class RedisLifecycle {
  readonly #place: RedisPlace;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lastFaults = new Map<Role, unknown>();
  #outage: Outage | undefined;

  constructor({ place, clock, log }: { place: RedisPlace; clock: Clock; log: Logger }) {
    this.#place = place;
    this.#clock = clock;
    this.#log = log;
  }

  /** What a connection said last that was wrong. */
  lastFault(role: Role): unknown {
    return this.#lastFaults.get(role);
  }

  watch(role: Role, client: RedisClient): void {
    client.on('error', (cause: unknown) => this.#onError(role, cause));
    client.on('reconnecting', (delayMs: number) => this.#onReconnecting(role, delayMs));
    client.on('ready', () => this.#onReady(role));
  }

  #onError(role: Role, cause: unknown): void {
    this.#lastFaults.set(role, cause);
    const outage = this.#began(role);
    outage.errors += 1;
    const { kind, message } = explain(cause, this.#place);
    this.#log[outage.errors === 1 ? 'error' : 'debug']({ role, kind, redis: this.#place.address }, message);
  }

  #onReconnecting(role: Role, delayMs: number): void {
    const outage = this.#began(role);
    outage.attempts += 1;
    const attempt = outage.attempts;
    const fields = { role, attempt, delayMs, redis: this.#place.address };
    this.#log[attempt === 1 ? 'warn' : 'debug'](fields, 'Redis connection lost, reconnecting');
    if (this.#clock.monotonic() < outage.remindAt) return;
    outage.remindAt = this.#clock.monotonic() + REMINDER_MS;
    this.#log.warn(this.#counts(outage), 'Redis is still away');
  }

  #onReady(role: Role): void {
    const outage = this.#outage;
    if (!outage?.lost.delete(role) || outage.lost.size > 0) return;
    this.#outage = undefined;
    this.#log.info(this.#counts(outage), 'Redis is back');
  }

  #began(role: Role): Outage {
    const now = this.#clock.monotonic();
    this.#outage ??= { lost: new Set(), since: now, remindAt: now + REMINDER_MS, attempts: 0, errors: 0 };
    this.#outage.lost.add(role);
    return this.#outage;
  }

  #counts({ since, attempts, errors }: Outage) {
    return { attempts, errors, awayMs: Math.round(this.#clock.monotonic() - since), redis: this.#place.address };
  }
}
