import { type ChainableCommander, ReplyError } from 'ioredis';
import type { RedisSettings, RedisTarget } from '../../config/redis-settings';
import { isDoneWithin, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { FlowError } from '../protocol/errors';
import type { Telemetry } from '../telemetry/telemetry';
import { checkServer } from './redis-checks';
import { RedisClients, type RedisClient, type Role } from './redis-clients';
import { explain, toRedisError } from './redis-faults';
import { placeOf, type RedisPlace } from './redis-place';

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

/** An outage of one connection. */
interface Loss {
  attempts: number;
  isCauseTold: boolean;
}

/** Makes all connections to Redis, one per role, says how they are, and closes them. */
export class RedisConnections {
  readonly #options: RedisConnectionsOptions;
  readonly #place: RedisPlace;
  readonly #clientsToMake: RedisClients;
  readonly #clients = new Map<Role, RedisClient>();
  /** Roles whose connection is lost right now. */
  readonly #lost = new Map<Role, Loss>();
  readonly #lastFaults = new Map<Role, unknown>();
  #isStopping = false;
  #latencyMs: number | undefined;
  /** A Redis that stands still keeps its connections, and answers nothing. */
  #isAnswering = true;
  /** Since the last line about slowness. */
  #slow = { count: 0, worstMs: 0, quietUntil: 0 };

  constructor(options: RedisConnectionsOptions) {
    this.#options = options;
    this.#place = placeOf(options.settings);
    const { settings, instanceId, clock } = options;
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
    const { log } = this.#options;
    for (const [role, client] of this.#clients) {
      log.debug({ role, redis: this.where }, 'connecting to Redis');
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
      const { kind, message } = explain(this.#lastFaults.get(role) ?? cause, this.#place);
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
    if (this.#clients.size > 0) this.#options.log.info({ redis: this.where }, 'Redis connection closed');
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
      throw toRedisError((isLost ? this.#lastFaults.get('command') : undefined) ?? cause, this.#place);
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
    const client = this.#clientsToMake.make(role);
    this.#watch(role, client);
    return client;
  }

  /** One line when a connection is lost, one with the cause, and one when it is back, however often it was tried in between. */
  #watch(role: Role, client: RedisClient): void {
    const { log } = this.#options;
    client.on('error', (cause: unknown) => {
      const loss = this.#lossOf(role);
      this.#lastFaults.set(role, cause);
      const { kind, message } = explain(cause, this.#place);
      log[loss.isCauseTold ? 'debug' : 'error']({ role, kind, redis: this.where }, message);
      loss.isCauseTold = true;
    });
    client.on('reconnecting', (delayMs: number) => {
      const loss = this.#lossOf(role);
      loss.attempts += 1;
      log[loss.attempts === 1 ? 'warn' : 'debug'](
        { role, delayMs, redis: this.where },
        'Redis connection lost, reconnecting',
      );
    });
    client.on('ready', () => {
      const loss = this.#lost.get(role);
      this.#lost.delete(role);
      if (loss) log.info({ role, attempts: loss.attempts, redis: this.where }, 'Redis is back');
    });
  }

  #lossOf(role: Role): Loss {
    const loss = this.#lost.get(role) ?? { attempts: 0, isCauseTold: false };
    this.#lost.set(role, loss);
    return loss;
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
