import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { RedisKeys } from '../redis/keys';
import type { RedisConnections } from '../redis/redis-connections';
import type { RedisHints } from '../redis/redis-hints';
import type { AccessHints } from './access-hints';

interface RedisAccessHintsOptions {
  readonly redis: RedisConnections;
  readonly hints: RedisHints;
  readonly keys: RedisKeys;
  readonly log: Logger;
}

/** One channel for all instances. */
export class RedisAccessHints implements AccessHints {
  readonly #redis: RedisConnections;
  readonly #hints: RedisHints;
  readonly #channel: string;
  readonly #outage: Outage;
  #unfollow: (() => Promise<void>) | undefined;

  constructor({ redis, hints, keys, log }: RedisAccessHintsOptions) {
    this.#redis = redis;
    this.#hints = hints;
    this.#channel = keys.accessChanges();
    this.#outage = new Outage(log, {
      began: 'other instances cannot be told of changes of access; they find them in the store',
      ended: 'other instances are told of changes of access again',
    });
    redis.client('command');
  }

  async follow(onHint: () => void): Promise<void> {
    this.#unfollow = await this.#hints.follow(this.#channel, onHint);
  }

  tell(): void {
    const told = this.#redis.ask('tell of a change of access', (client) =>
      this.#redis.isCluster ? client.spublish(this.#channel, '') : client.publish(this.#channel, ''),
    );
    told.then(
      () => this.#outage.worked(),
      (fault: unknown) => this.#outage.failed(fault),
    );
  }

  async stop(): Promise<void> {
    await this.#unfollow?.();
  }
}
