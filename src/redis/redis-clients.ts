import type { ConnectionOptions } from 'node:tls';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { HostPort, RedisSettings, RedisTarget } from '../../config/redis-settings';
import type { Clock } from '../lib/clock';
import { replyCode } from './redis-faults';

export type RedisClient = Redis | Cluster;

/** `command` asks; `subscriber` (to hints) and `adapter` (of Socket.IO) listen, and do nothing else. */
export type Role = 'command' | 'publisher' | 'subscriber' | 'adapter';

const isListening = (role: Role): boolean => role === 'subscriber' || role === 'adapter';

/** Delay before the first attempt to connect again; it grows by as much with every further one. */
const RETRY_STEP_MS = 50;
/** Share of the delay that is left to chance, so that all instances do not come back in one moment. */
const RETRY_JITTER = 0.25;
/** A Redis that has stopped without closing its connections is noticed by nothing else. */
const COMMAND_TIMEOUT_MS = 1_000;
/** Redirections, and waits for a failover, that one command may take. */
const CLUSTER_REDIRECTIONS = 4;
const CLUSTER_WAIT_MS = 100;
/** Slots that moved without anybody being told. */
const SLOTS_REFRESH_MS = 5_000;
/** How often a sentinel that is away is tried again; the others tell of a failover meanwhile. */
const SENTINEL_RETRY_MS = 1_000;
/** A master that has become a replica is left at once; one that still is one after that is asked again, but not all the time. */
const READ_ONLY_AGAIN_MS = 5_000;
/** A connection that we end and the other side does not is dropped after this time; the process waits for it. */
const HANG_UP_MS = 100;

interface RedisClientsOptions {
  readonly settings: RedisSettings;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly isStopping: () => boolean;
}

/** Makes clients of the client library for one server, a master behind sentinels, or a cluster. They connect when they are told to. */
export class RedisClients {
  readonly #settings: RedisSettings;
  readonly #instanceId: string;
  readonly #clock: Clock;
  readonly #isStopping: () => boolean;
  /** Of a cluster: the nodes it had when we heard of it last, which need not be those that were named to us. */
  #nodes: readonly HostPort[] = [];

  constructor({ settings, instanceId, clock, isStopping }: RedisClientsOptions) {
    this.#settings = settings;
    this.#instanceId = instanceId;
    this.#clock = clock;
    this.#isStopping = isStopping;
  }

  make(role: Role): RedisClient {
    const { target } = this.#settings;
    switch (target.kind) {
      case 'single':
        return this.#kept(new Redis({ ...this.#alone(role), host: target.host, port: target.port }));
      case 'sentinel':
        return this.#makeOfMaster(role, target);
      case 'cluster':
        return role === 'adapter' ? this.#makeListener(target.nodes) : this.#makeCluster(role, target.nodes);
    }
  }

  #makeOfMaster(role: Role, { sentinels, name, password }: Extract<RedisTarget, { kind: 'sentinel' }>): Redis {
    const tls = tlsOf(this.#settings);
    let wasReady = false;
    const client = new Redis({
      ...this.#alone(role),
      sentinels: sentinels.map(({ host, port }) => ({ host, port })),
      name,
      ...(password === undefined ? {} : { sentinelPassword: password }),
      ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
      // At start whoever asks wants an answer; later there is always another attempt.
      sentinelRetryStrategy: (attempt) => (wasReady ? this.#retryDelay(attempt) : null),
      // A master that stands still closes no connection; the sentinels say when there is another one.
      failoverDetector: true,
      sentinelReconnectStrategy: () => (this.#isStopping() ? null : SENTINEL_RETRY_MS),
      sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
    });
    client.once('ready', () => {
      wasReady = true;
    });
    return this.#kept(client);
  }

  /**
   * The client library gives up for good when it is told to hang up while it asks sentinels for the master, and that is just when they tell
   * it of a failover. Whoever was connected once is connected again.
   */
  #kept(client: Redis): Redis {
    mayFailToListenAgain(client);
    let wasReady = false;
    client.on('ready', () => {
      wasReady = true;
    });
    client.on('end', () => {
      if (!wasReady) return;
      this.#clock.after(RETRY_STEP_MS, () => {
        // What goes wrong is told by its events.
        if (!this.#isStopping()) client.connect().catch(() => {});
      });
    });
    return client;
  }

  /**
   * What is published to a cluster without shards, every node hears. So this listens to one, and to the next when that is gone: the client
   * library's own way, when all are gone, tries thousands of times per second and keeps something of each.
   */
  #makeListener(named: readonly HostPort[]): Redis {
    const nodeAt = (attempt: number): Partial<HostPort> => {
      const nodes = this.#everyNode(named);
      return nodes[attempt % nodes.length] ?? {};
    };
    const client = new Redis({
      ...this.#common('adapter'),
      ...nodeAt(0),
      lazyConnect: true,
      retryStrategy: (attempt) => {
        Object.assign(client.options, nodeAt(attempt));
        return this.#retryDelay(attempt);
      },
    });
    return this.#kept(client);
  }

  #makeCluster(role: Role, named: readonly HostPort[]): Cluster {
    const client = new Cluster([...named], {
      lazyConnect: true,
      enableOfflineQueue: isListening(role),
      shardedSubscribers: role === 'subscriber',
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      maxRedirections: CLUSTER_REDIRECTIONS,
      retryDelayOnFailover: CLUSTER_WAIT_MS,
      retryDelayOnClusterDown: CLUSTER_WAIT_MS,
      clusterRetryStrategy: (attempt) => {
        // The client library's way to go on with other nodes than those it began with.
        Object.assign(client, { startupNodes: this.#everyNode(named) });
        return this.#retryDelay(attempt);
      },
      // Certificates are made out to names.
      ...(this.#settings.isTls ? { dnsLookup: (name, answer) => answer(null, name) } : {}),
      redisOptions: this.#common(role),
    } satisfies ClusterOptions);
    client.on('+node', () => {
      this.#nodes = client.nodes().map(({ options: { host = '', port = 0 } }) => ({ host, port }));
    });
    return client;
  }

  /** First those that were there last. */
  #everyNode(named: readonly HostPort[]): HostPort[] {
    const isNew = ({ host, port }: HostPort): boolean =>
      !this.#nodes.some((known) => known.host === host && known.port === port);
    return [...this.#nodes, ...named.filter(isNew)];
  }

  /** For a client with one connection. */
  #alone(role: Role) {
    let readOnlyUntil = 0;
    return {
      ...this.#common(role),
      lazyConnect: true,
      enableOfflineQueue: isListening(role),
      retryStrategy: (attempt) => this.#retryDelay(attempt),
      // The master of before: its name, or the sentinels, know the one of now.
      reconnectOnError: (fault) => {
        const now = this.#clock.monotonic();
        if (replyCode(fault) !== 'READONLY' || now < readOnlyUntil) return false;
        readOnlyUntil = now + READ_ONLY_AGAIN_MS;
        return true;
      },
    } satisfies RedisOptions;
  }

  #common(role: Role) {
    const { username, password, db, protocol, maxRetries, connectTimeoutMs } = this.#settings;
    const tls = tlsOf(this.#settings);
    return {
      connectionName: `flow:${this.#instanceId}:${role}`,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      db,
      ...(tls ? { tls } : {}),
      protocol,
      connectTimeout: connectTimeoutMs,
      disconnectTimeout: HANG_UP_MS,
      maxRetriesPerRequest: isListening(role) ? null : maxRetries,
      ...(isListening(role) ? {} : { commandTimeout: COMMAND_TIMEOUT_MS }),
      // Whether it was done is not known; the caller asks again, and is told that it was.
      autoResendUnfulfilledCommands: isListening(role),
    } as const;
  }

  #retryDelay(attempt: number): number | null {
    if (this.#isStopping()) return null;
    const longest = Math.min(RETRY_STEP_MS * attempt, this.#settings.retryDelayMs);
    return Math.round(longest * (1 - RETRY_JITTER * Math.random()));
  }
}

/**
 * The client library listens again by itself after a cut, and lets nobody hear of it when that fails: a rejection that ends the process. Those
 * who ask to listen still hear of theirs.
 */
function mayFailToListenAgain(client: Redis): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    if (command.name.endsWith('subscribe')) command.promise.catch(() => {});
    return send(command, stream);
  };
}

export function tlsOf({ isTls, tlsCa }: RedisSettings): ConnectionOptions | undefined {
  if (!isTls) return undefined;
  return tlsCa === undefined ? {} : { ca: tlsCa };
}
