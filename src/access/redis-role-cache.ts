import type { ChainableCommander } from 'ioredis';
import { z } from 'zod';
import { isDoneWithin, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import { readJson } from '../lib/parse';
import { linkAccess, role } from '../protocol/schemas';
import type { RedisKeys } from '../redis/keys';
import type { RedisConnections } from '../redis/redis-connections';
import { MemoryRoleCache } from './memory-role-cache';
import { isBelievable, type Believable, type CachedAccess, type RoleCache } from './role-cache';

/** The store is asked instead of a Redis that takes longer. */
const PATIENCE_MS = 250;

interface RedisRoleCacheOptions {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ttlMs: number;
}

/**
 * Rows in Redis, shared by all instances, and those that this one has met in its memory. A Redis that is away is asked in the
 * background until it answers again; nobody waits for it meanwhile.
 */
export class RedisRoleCache implements RoleCache {
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #near: MemoryRoleCache;
  readonly #outage: Outage;
  #isAway = false;
  #isAsking = false;

  constructor({ redis, keys, clock, log, ttlMs }: RedisRoleCacheOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#near = new MemoryRoleCache({ clock, ttlMs });
    this.#outage = new Outage(log, {
      began: 'roles are not read from Redis; the store and memory have them',
      ended: 'roles are read from Redis again',
    });
    redis.client('command');
  }

  async get(sessionId: string, userId: string, believable: Believable): Promise<CachedAccess | null> {
    const near = await this.#near.get(sessionId, userId, believable);
    if (near) return near;
    const key = this.#keys.role(sessionId, userId);
    const asked = this.#ask('read role', [(to) => to.get(key), (to) => to.pttl(key)]);
    if (!asked) return null;
    let found: readonly unknown[] = [];
    const heard = asked.then((answers) => {
      found = answers;
    });
    if (!(await isDoneWithin(this.#clock, heard, PATIENCE_MS))) this.#isAway = true;
    const [text, ttlMs] = found;
    const access = readJson(rowText, text);
    if (!access || !isBelievable(access, believable)) return null;
    this.#near.keep(sessionId, userId, access, Math.min(Number(ttlMs), this.#ttlMs));
    return access;
  }

  async put(sessionId: string, userId: string, access: CachedAccess): Promise<void> {
    await this.#near.put(sessionId, userId, access);
    const text = JSON.stringify(access);
    void this.#ask('keep role', [(to) => to.set(this.#keys.role(sessionId, userId), text, 'PX', this.#ttlMs)]);
  }

  /** Undefined: Redis is away, and whether it is back is found out without the caller. Never rejects. */
  #ask(name: string, commands: ReadonlyArray<(to: ChainableCommander) => unknown>): Promise<unknown[]> | undefined {
    if (this.#isAway && this.#isAsking) return undefined;
    this.#isAsking = true;
    const asked = this.#redis.askMany(name, commands).then(
      (answers) => {
        this.#isAway = false;
        this.#outage.worked();
        return answers;
      },
      (fault: unknown) => {
        this.#isAway = true;
        this.#outage.failed(fault);
        return [];
      },
    );
    void asked.then(() => {
      this.#isAsking = false;
    });
    return this.#isAway ? undefined : asked;
  }
}

const rowText = z.object({ role: role.nullable(), link: linkAccess, number: z.int().min(0) });
