import type { Cluster } from 'ioredis';
import type { Logger } from '../lib/logger';
import type { RedisConnections } from './redis-connections';

type Listener = (message: string) => void;

/** Channels this instance listens to, each subscribed to once, however many listen. What comes is a hint and may be lost. */
export class RedisHints {
  readonly #redis: RedisConnections;
  readonly #log: Logger;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor({ redis, log }: { redis: RedisConnections; log: Logger }) {
    this.#redis = redis;
    this.#log = log;
    const deliver = (channel: string, message: string): void => this.#deliver(channel, message);
    redis.client('subscriber').on(redis.isCluster ? 'smessage' : 'message', deliver);
  }

  isFollowed(channel: string): boolean {
    return this.#listeners.has(channel);
  }

  /** Listening begins at once and survives reconnects; whether the server has heard of it yet does not matter to those who audit. */
  async follow(channel: string, onMessage: Listener): Promise<() => Promise<void>> {
    let listeners = this.#listeners.get(channel);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(channel, listeners);
      await this.#send('subscribe', channel);
    }
    listeners.add(onMessage);
    const followed = listeners;
    return async () => {
      followed.delete(onMessage);
      if (followed.size > 0 || this.#listeners.get(channel) !== followed) return;
      this.#listeners.delete(channel);
      await this.#send('unsubscribe', channel);
    };
  }

  #deliver(channel: string, message: string): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      try {
        listener(message);
      } catch (fault) {
        this.#log.warn({ err: fault, channel }, 'a hint could not be used');
      }
    }
  }

  /** A subscription that fails is not worth an outage: the audit brings what no hint tells (DL3). */
  async #send(what: 'subscribe' | 'unsubscribe', channel: string): Promise<void> {
    const client = this.#redis.client('subscriber');
    try {
      if (this.#redis.isCluster)
        await (client as Cluster)[what === 'subscribe' ? 'ssubscribe' : 'sunsubscribe'](channel);
      else await client[what](channel);
    } catch (fault) {
      this.#log.warn({ err: fault, channel }, `hints: could not ${what}`);
    }
  }
}
