import { type ChainableCommander, Cluster, type ClusterOptions, Redis, type RedisOptions, ReplyError } from 'ioredis';
import type { HostPort, RedisSettings, RedisTarget } from '../../config/redis-settings';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { FlowError } from '../protocol/errors';
import type { Telemetry } from '../telemetry/telemetry';
import { checkServer } from './redis-checks';
import { explain, toRedisError } from './redis-faults';

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
const QUIT_DEADLINE_MS = 1_000;
/** A slow Redis is slow for thousands of operations. */
const SLOW_LINE_INTERVAL_MS = 10_000;
/** Commands sent in one go. */
const PIPELINE_COMMANDS = 500;

interface RedisConnectionsOptions {
  readonly settings: RedisSettings;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** Makes all connections to Redis, one per role, says how they are, and closes them. */
export class RedisConnections {
  readonly #options: RedisConnectionsOptions;
  readonly #where: string;
  readonly #clients = new Map<Role, RedisClient>();
  /** Roles whose connection is lost right now; one line per outage. */
  readonly #lost = new Map<Role, number>();
  readonly #lastFaults = new Map<Role, unknown>();
  #isStopping = false;
  #latencyMs: number | undefined;
  /** A Redis that stands still keeps its connections, and answers nothing. */
  #isAnswering = true;
  /** Since the last line about slowness. */
  #slow = { count: 0, worstMs: 0, quietUntil: 0 };

  constructor(options: RedisConnectionsOptions) {
    this.#options = options;
    this.#where = describeTarget(options.settings.target);
  }

  /** Where Redis is, without credentials. */
  get where(): string {
    return this.#where;
  }

  get isCluster(): boolean {
    return this.#options.settings.target.kind === 'cluster';
  }

  get mode(): RedisTarget['kind'] {
    return this.#options.settings.target.kind;
  }

  /** Of the last operation, milliseconds; undefined before the first. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  get status(): 'ok' | 'unavailable' {
    const clients = [...this.#clients.values()];
    return this.#isAnswering && clients.every(({ status }) => status === 'ready') ? 'ok' : 'unavailable';
  }

  /** The connection of a role; it connects with `start`. */
  client(role: Role): RedisClient {
    let client = this.#clients.get(role);
    if (!client) {
      client = this.#make(role);
      this.#clients.set(role, client);
    }
    return client;
  }

  /** Connects what has been asked for so far. Rejects with BACKEND_UNAVAILABLE, saying what to change. */
  async start(): Promise<void> {
    const { log } = this.#options;
    for (const [role, client] of this.#clients) {
      log.debug({ role, redis: this.#where }, 'connecting to Redis');
      try {
        // A listener of a cluster goes on to the next node by itself.
        await (role === 'adapter' && this.isCluster ? client.connect().catch(() => {}) : client.connect());
        if (role === 'command') await this.#check(client);
      } catch (cause) {
        // What `connect` rejects with is often only that the connection was closed.
        const { message } = explain(this.#lastFaults.get(role) ?? cause, this.#where);
        throw cause instanceof FlowError ? cause : new FlowError('BACKEND_UNAVAILABLE', message);
      }
    }
    log.info({ redis: this.#where }, '✅ Redis connected successfully');
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(
      [...this.#clients.values()].map(async (client) => {
        const overdue = this.#options.clock.after(QUIT_DEADLINE_MS, () => client.disconnect());
        try {
          if (client.status === 'ready') await client.quit();
        } catch {
          // It is gone already.
        } finally {
          overdue();
          client.disconnect();
        }
      }),
    );
    if (this.#clients.size > 0) this.#options.log.info({ redis: this.#where }, 'Redis connection closed');
  }

  /** One operation against Redis: measured, its slowness told, its faults explained. `name` is what the log calls it. */
  async ask<Answer>(name: string, run: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const { clock, settings, telemetry } = this.#options;
    const startedAt = clock.monotonic();
    try {
      const answer = await run(this.client('command'));
      this.#isAnswering = true;
      return answer;
    } catch (cause) {
      this.#isAnswering = cause instanceof ReplyError;
      // Of a lost connection the library says only that it cannot be written to.
      const isLost = this.client('command').status !== 'ready';
      throw toRedisError((isLost ? this.#lastFaults.get('command') : undefined) ?? cause, this.#where);
    } finally {
      const ms = clock.monotonic() - startedAt;
      telemetry.redisMs.record(ms);
      this.#latencyMs = Math.round(ms * 10) / 10;
      if (ms > settings.slowMs) this.#tellSlow(name, ms);
    }
  }

  /** One line at once, then one per interval with how many there were. */
  #tellSlow(name: string, ms: number): void {
    const { clock, log } = this.#options;
    this.#slow.count += 1;
    this.#slow.worstMs = Math.max(this.#slow.worstMs, ms);
    if (clock.monotonic() < this.#slow.quietUntil) return;
    const { count, worstMs } = this.#slow;
    this.#slow = { count: 0, worstMs: 0, quietUntil: clock.monotonic() + SLOW_LINE_INTERVAL_MS };
    log.warn({ command: name, ms: Math.round(worstMs), count }, 'Redis operation took longer than expected');
  }

  /** Many independent commands at little more than the price of one; answers in their order. One that fails fails all. */
  async askMany(name: string, commands: ReadonlyArray<(to: ChainableCommander) => unknown>): Promise<unknown[]> {
    // A pipeline goes to one node, and commands about different sessions belong to different ones.
    const size = this.isCluster ? 1 : PIPELINE_COMMANDS;
    const chunks: Array<Promise<unknown[]>> = [];
    for (let from = 0; from < commands.length; from += size) {
      chunks.push(this.ask(name, (client) => this.#pipeline(client, commands.slice(from, from + size))));
    }
    return (await Promise.all(chunks)).flat();
  }

  async #pipeline(
    client: RedisClient,
    commands: ReadonlyArray<(to: ChainableCommander) => unknown>,
  ): Promise<unknown[]> {
    const pipeline = client.pipeline();
    for (const add of commands) add(pipeline);
    const results = (await pipeline.exec()) ?? [];
    return results.map(([fault, answer]) => {
      if (fault) throw fault;
      return answer;
    });
  }

  #make(role: Role): RedisClient {
    const { target } = this.#options.settings;
    const client = target.kind === 'cluster' ? this.#makeOfCluster(role, target.nodes) : this.#makeSingle(role);
    this.#watch(role, client);
    return client;
  }

  #makeSingle(role: Role): Redis {
    const { target } = this.#options.settings;
    const options = {
      ...this.#common(role),
      lazyConnect: true,
      enableOfflineQueue: isListening(role),
      retryStrategy: (attempt) => this.#retryDelay(attempt),
    } satisfies RedisOptions;
    if (target.kind === 'sentinel') {
      return new Redis({
        ...options,
        sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
        name: target.name,
        sentinelRetryStrategy: (attempt) => this.#retryDelay(attempt),
      });
    }
    if (target.kind === 'cluster') throw new Error('a cluster is made by other means');
    return new Redis({ ...options, host: target.host, port: target.port });
  }

  #makeOfCluster(role: Role, nodes: readonly HostPort[]): RedisClient {
    return role === 'adapter' ? this.#makeListener(role, nodes) : this.#makeCluster(role, nodes);
  }

  /**
   * What is published to a cluster without shards, every node hears. So this listens to one, and to the next when that is gone: the client
   * library's own way, when all are gone, tries thousands of times per second and keeps something of each.
   */
  #makeListener(role: Role, nodes: readonly HostPort[]): Redis {
    const nodeAt = (attempt: number): Partial<HostPort> => nodes[attempt % nodes.length] ?? {};
    const client = new Redis({
      ...this.#common(role),
      ...nodeAt(0),
      lazyConnect: true,
      retryStrategy: (attempt) => {
        Object.assign(client.options, nodeAt(attempt));
        return this.#retryDelay(attempt);
      },
    });
    return client;
  }

  #makeCluster(role: Role, nodes: readonly HostPort[]): Cluster {
    return new Cluster([...nodes], {
      lazyConnect: true,
      enableOfflineQueue: isListening(role),
      shardedSubscribers: role === 'subscriber',
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      maxRedirections: CLUSTER_REDIRECTIONS,
      retryDelayOnFailover: CLUSTER_WAIT_MS,
      retryDelayOnClusterDown: CLUSTER_WAIT_MS,
      clusterRetryStrategy: (attempt) => this.#retryDelay(attempt),
      redisOptions: this.#common(role),
    } satisfies ClusterOptions);
  }

  #common(role: Role) {
    const { settings, instanceId } = this.#options;
    const { username, password, db, isTls, protocol, maxRetries, connectTimeoutMs } = settings;
    return {
      connectionName: `flow:${instanceId}:${role}`,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      db,
      ...(isTls ? { tls: {} } : {}),
      protocol,
      connectTimeout: connectTimeoutMs,
      maxRetriesPerRequest: isListening(role) ? null : maxRetries,
      ...(isListening(role) ? {} : { commandTimeout: COMMAND_TIMEOUT_MS }),
      // Whether it was done is not known; the caller asks again, and is told that it was.
      autoResendUnfulfilledCommands: isListening(role),
    } as const;
  }

  #retryDelay(attempt: number): number | null {
    if (this.#isStopping) return null;
    const longest = Math.min(RETRY_STEP_MS * attempt, this.#options.settings.retryDelayMs);
    return Math.round(longest * (1 - RETRY_JITTER * Math.random()));
  }

  /** One line when a connection is lost, one when it is back, however often it was tried in between. */
  #watch(role: Role, client: RedisClient): void {
    const { log } = this.#options;
    client.on('error', (cause: unknown) => {
      const attempts = this.#lost.get(role) ?? 0;
      this.#lost.set(role, attempts + 1);
      this.#lastFaults.set(role, cause);
      const { kind, message } = explain(cause, this.#where);
      log[attempts === 0 ? 'error' : 'debug']({ role, kind, redis: this.#where }, message);
    });
    client.on('reconnecting', (delayMs: number) => {
      const attempts = this.#lost.get(role) ?? 0;
      this.#lost.set(role, attempts + 1);
      log[attempts === 0 ? 'warn' : 'debug'](
        { role, delayMs, redis: this.#where },
        'Redis connection lost, reconnecting',
      );
    });
    client.on('ready', () => {
      const attempts = this.#lost.get(role);
      this.#lost.delete(role);
      if (attempts !== undefined) log.info({ role, attempts, redis: this.#where }, 'Redis is back');
    });
  }

  /** What would only show later, and then as something else. */
  async #check(client: RedisClient): Promise<void> {
    const { settings, log } = this.#options;
    const { password, username, target } = settings;
    // Given a password, a server that has none makes the client library print a line to the console, and nothing else.
    if (password !== undefined) {
      await (username === undefined ? client.call('AUTH', password) : client.call('AUTH', username, password));
    }
    const warnings = await checkServer(client, this.#where, target.kind === 'cluster' ? 'cluster' : 'single');
    for (const warning of warnings) log.warn({ redis: this.#where }, warning);
  }
}

/** For messages and logs: never credentials. */
function describeTarget(target: RedisTarget): string {
  const list = (hosts: readonly HostPort[]): string => hosts.map(({ host, port }) => `${host}:${port}`).join(', ');
  switch (target.kind) {
    case 'single':
      return list([target]);
    case 'sentinel':
      return `${target.name} behind sentinels ${list(target.sentinels)}`;
    case 'cluster':
      return `cluster ${list(target.nodes)}`;
  }
}
