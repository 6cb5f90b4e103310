import { createAdapter } from '@socket.io/redis-adapter';
import type { Server } from 'socket.io';
import { type Clock, isDoneWithin } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { RedisConnections } from '../redis/redis-connections';
import { adapterText, isRequest } from './adapter-text';

/**
 * How often subscriptions are made again. The client library does so by itself when it reconnects, but says nothing when that fails, and
 * an instance that is deaf looks as if nobody spoke.
 */
const SUBSCRIBE_AGAIN_MS = 2_000;
/** A connection on which nothing comes back for so long is made anew: a host that vanished says no more. */
const ANSWER_DEADLINE_MS = 4_000;
/** Whoever starts does not wait longer to be able to hear others; it goes on trying. */
const HEARING_DEADLINE_MS = 1_000;

/** The event by which the adapter hears of requests of other instances. */
const REQUESTS = 'messageBuffer';

type Listener = (...heard: unknown[]) => unknown;

interface RedisGuardedAdapterOptions {
  readonly redis: RedisConnections;
  /** Prefix of all channels. */
  readonly key: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * `@socket.io/redis-adapter` behind two stand-ins for its Redis clients. It neither awaits nor catches what it asks of them, and throws at
 * messages it does not expect, either of which would end the process.
 */
export class RedisGuardedAdapter {
  readonly #redis: RedisConnections;
  readonly #key: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #publishing: Outage;
  readonly #listening: Outage;
  readonly #patterns = new Set<string>();
  readonly #channels = new Set<string>();
  /** The adapter's listeners, and what really listens. */
  readonly #guarded = new Map<Listener, Listener>();
  #cancel = (): void => {};
  #hearing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ redis, key, clock, log }: RedisGuardedAdapterOptions) {
    this.#redis = redis;
    this.#key = key;
    this.#clock = clock;
    this.#log = log;
    this.#publishing = new Outage(log, {
      began: 'other instances cannot be reached; connections of this one are served',
      ended: 'other instances are reached again',
    });
    this.#listening = new Outage(log, {
      began: 'other instances cannot be heard',
      ended: 'other instances are heard again',
    });
    // They connect with all others.
    redis.client('publisher');
    redis.client('adapter');
  }

  /** Before anybody connects: who is connected stays in the rooms of the adapter that goes. */
  async install(io: Server): Promise<void> {
    io.adapter(
      createAdapter(this.#publisher(), this.#subscriber(), {
        key: this.#key,
        publishOnSpecificResponseChannel: true,
        parser: adapterText,
      }),
    );
    await isDoneWithin(this.#clock, this.#hearing, HEARING_DEADLINE_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #publisher() {
    return {
      publish: (channel: string, message: string): void => {
        this.#redis
          .client('publisher')
          .publish(channel, message)
          .then(
            () => this.#publishing.worked(),
            (fault: unknown) => this.#publishing.failed(fault),
          );
      },
      // Its errors are heard where it is made.
      on: () => {},
      off: () => {},
    };
  }

  #subscriber() {
    const client = this.#redis.client('adapter');
    return {
      psubscribe: (pattern: string): void => {
        this.#patterns.add(pattern);
        this.#subscribe();
      },
      subscribe: (channels: readonly string[]): void => {
        for (const channel of channels) this.#channels.add(channel);
        this.#subscribe();
      },
      // The connection is closed right after.
      punsubscribe: () => this.close(),
      unsubscribe: () => this.close(),
      on: (event: string, listener: Listener): void => {
        if (event === 'error') return;
        const guarded = this.#guard(event === REQUESTS ? onlyRequests(listener) : listener);
        this.#guarded.set(listener, guarded);
        client.on(event, guarded);
      },
      off: (event: string, listener: Listener): void => {
        const guarded = this.#guarded.get(listener);
        if (guarded) client.off(event, guarded);
      },
    };
  }

  /** Some listeners throw, and some reject. */
  #guard(listener: Listener): Listener {
    return (...heard) => {
      const done = (async () => listener(...heard))();
      done.catch((fault: unknown) =>
        this.#log.debug({ err: fault }, 'a message of another instance could not be used'),
      );
    };
  }

  #subscribe(): void {
    this.#cancel();
    if (this.#isClosed) return;
    const client = this.#redis.client('adapter');
    this.#cancel = this.#clock.after(ANSWER_DEADLINE_MS, () => client.disconnect(true));
    const asked = Promise.all([
      ...(this.#patterns.size > 0 ? [client.psubscribe(...this.#patterns)] : []),
      ...(this.#channels.size > 0 ? [client.subscribe(...this.#channels)] : []),
    ]);
    this.#hearing = asked
      .then(
        () => this.#listening.worked(),
        (fault: unknown) => this.#listening.failed(fault),
      )
      .finally(() => this.#again());
  }

  #again(): void {
    this.#cancel();
    if (!this.#isClosed) this.#cancel = this.#clock.after(SUBSCRIBE_AGAIN_MS, () => this.#subscribe());
  }
}

const onlyRequests =
  (listener: Listener): Listener =>
  (channel, message) =>
    Buffer.isBuffer(message) && isRequest(message) ? listener(channel, message) : undefined;
