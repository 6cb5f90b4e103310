import { type ChainableCommander, ReplyError } from 'ioredis';
import type { RedisSettings, RedisTarget } from '../../config/redis-settings';
import { isDoneWithin, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { FlowError } from '../protocol/errors';
import type { Telemetry } from '../telemetry/telemetry';
import { checkServer } from './redis-checks';
import { RedisClients, type RedisClient, type Role } from './redis-clients';
import type { RedisDebug } from './redis-debug';
import { explain, toRedisError } from './redis-faults';
import { RedisLifecycle } from './redis-lifecycle';
import { placeOf, type RedisPlace } from './redis-place';
import { SlowOperations } from './slow-operations';

const QUIT_DEADLINE_MS = 1_000;
/** Commands sent in one go. */
const PIPELINE_COMMANDS = 500;

interface RedisConnectionsOptions {
  readonly settings: RedisSettings;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Null: nobody wants to see each command. */
  readonly debug?: RedisDebug | null;
}

/** Makes all connections to Redis, one per role, says how they are, and closes them. */
export class RedisConnections {
  readonly #options: RedisConnectionsOptions;
  readonly #place: RedisPlace;
  readonly #clientsToMake: RedisClients;
  readonly #clients = new Map<Role, RedisClient>();
  readonly #lifecycle: RedisLifecycle;
  readonly #slow: SlowOperations;
  #isStopping = false;
  #latencyMs: number | undefined;
  /** A Redis that stands still keeps its connections, and answers nothing. */
  #isAnswering = true;

  constructor(options: RedisConnectionsOptions) {
    this.#options = options;
    const { settings, instanceId, clock, log } = options;
    this.#place = placeOf(settings);
    this.#lifecycle = new RedisLifecycle({ place: this.#place, clock, log });
    this.#slow = new SlowOperations({ slowMs: settings.slowMs, clock, log });
    this.#clientsToMake = new RedisClients({ settings, instanceId, clock, isStopping: () => this.#isStopping });
  }

  /** Where Redis is, without credentials. */
  get where(): string {
    return this.#place.address;
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
    const { log, debug } = this.#options;
    debug?.start();
    log.info({ redis: this.where }, 'Connecting to Redis');
    for (const [role, client] of this.#clients) {
      await this.#connect(role, client);
      if (role === 'command') await this.#check(client);
    }
    log.info({ redis: this.where }, '✅ Redis connected successfully');
  }

  async #connect(role: Role, client: RedisClient): Promise<void> {
    try {
      await client.connect();
    } catch (cause) {
      // A listener of a cluster goes on to the next node by itself.
      if (role === 'adapter' && this.isCluster) return;
      // What `connect` rejects with is often only that the connection was closed.
      const { kind, message } = explain(this.#lifecycle.lastFault(role) ?? cause, this.#place);
      const isRefused = kind !== '';
      // On a busy machine the first answers may come too late; the client goes on trying.
      if (!isRefused && (await this.#isReadyInTime(client))) return;
      const remedy = isRefused ? '' : ` Check ${this.#place.variables}.`;
      throw new FlowError('BACKEND_UNAVAILABLE', message + remedy);
    }
  }

  #isReadyInTime(client: RedisClient): Promise<boolean> {
    if (client.status === 'end') return Promise.resolve(false);
    const ready = new Promise((resolve) => client.once('ready', resolve));
    return isDoneWithin(this.#options.clock, ready, this.#options.settings.connectTimeoutMs);
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
    this.#slow.stop();
    this.#options.debug?.stop();
    if (this.#clients.size > 0) this.#options.log.info({ redis: this.where }, 'Redis connection closed');
  }

  /** One operation against Redis: measured, its slowness told, its faults explained. `name` is what the log calls it. */
  async ask<Answer>(name: string, run: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const { clock, telemetry, debug } = this.#options;
    const startedAt = clock.monotonic();
    try {
      const answer = await run(this.client('command'));
      this.#isAnswering = true;
      return answer;
    } catch (cause) {
      this.#isAnswering = cause instanceof ReplyError;
      // Of a lost connection the library says only that it cannot be written to.
      const isLost = this.client('command').status !== 'ready';
      throw toRedisError((isLost ? this.#lifecycle.lastFault('command') : undefined) ?? cause, this.#place);
    } finally {
      const ms = clock.monotonic() - startedAt;
      telemetry.redisMs.record(ms);
      this.#latencyMs = Math.round(ms * 10) / 10;
      this.#slow.record(name, ms);
      debug?.operation(name, ms);
    }
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
    const client = this.#clientsToMake.make(role);
    this.#lifecycle.watch(role, client);
    this.#options.debug?.watch(role, client);
    return client;
  }

  /** What would only show later, and then as something else. */
  async #check(client: RedisClient): Promise<void> {
    const { settings, log } = this.#options;
    const { password, username, target } = settings;
    // Given a password, a server that has none makes the client library print a line to the console, and nothing else.
    if (password !== undefined) {
      const given = username === undefined ? [password] : [username, password];
      await this.ask('AUTH', (redis) => redis.call('AUTH', ...given));
    }
    const warnings = await checkServer(client, this.where, target.kind === 'cluster' ? 'cluster' : 'single');
    for (const warning of warnings) log.warn({ redis: this.where }, warning);
  }
}
