import { randomBytes } from 'node:crypto';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { RedisKeys } from '../redis/keys';
import type { RedisConnections } from '../redis/redis-connections';
import type { RedisHints } from '../redis/redis-hints';
import type { Following, InstanceBus } from './instance-bus';

/** Enough that no two instances have the same. */
const SENDER_BYTES = 9;

interface RedisInstanceBusOptions {
  readonly redis: RedisConnections;
  readonly hints: RedisHints;
  readonly keys: RedisKeys;
  readonly log: Logger;
}

/** A channel for each session, sharded in a cluster; a message is its sender's id, a line break and the text. */
export class RedisInstanceBus implements InstanceBus {
  readonly #redis: RedisConnections;
  readonly #hints: RedisHints;
  readonly #keys: RedisKeys;
  readonly #sender = randomBytes(SENDER_BYTES).toString('base64url');
  readonly #outage: Outage;

  constructor({ redis, hints, keys, log }: RedisInstanceBusOptions) {
    this.#redis = redis;
    this.#hints = hints;
    this.#keys = keys;
    this.#outage = new Outage(log, {
      began: 'other instances cannot be told who is here; they are told again',
      ended: 'other instances are told again who is here',
    });
    // It connects with all others.
    redis.client('publisher');
  }

  follow(sessionId: string, onMessage: (message: string) => void): Following {
    const own = `${this.#sender}\n`;
    const following = this.#hints.follow(this.#keys.bus(sessionId), (text) => {
      if (!text.startsWith(own)) onMessage(text.slice(text.indexOf('\n') + 1));
    });
    return {
      begun: following.then(() => {}),
      // Nobody waits for it: without Redis it would take as long as Redis is away.
      end: () => void following.then((unfollow) => unfollow()),
    };
  }

  tell(sessionId: string, message: string): void {
    const client = this.#redis.client('publisher');
    const channel = this.#keys.bus(sessionId);
    const text = `${this.#sender}\n${message}`;
    const told = this.#redis.isCluster ? client.spublish(channel, text) : client.publish(channel, text);
    told.then(
      () => this.#outage.worked(),
      (fault: unknown) => this.#outage.failed(fault),
    );
  }
}
