import { writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { health, stats } from '../../src/http/schemas';
import { RedisKeys } from '../../src/redis/keys';
import { eventually } from './eventually';
import type { Cluster } from './redis-replay';
import type { RedisServer } from './redis-server';
import type { AnyRedis } from './redis-topology';
import { ask, type ServerProcess } from './server-process';

/** For what takes a failover, or a lease that ends. */
const DEADLINE_MS = 60_000;
/** The file that makes the store of a server with the fault `refusing-store` refuse. */
export const REFUSE_FILE = 'refuse';

const KEYS = new RedisKeys('flow:');

/** What Redis says of a session's order. */
export interface Hot {
  readonly epoch: number;
  readonly seq: number;
  readonly savedSeq: number;
}

/** A replay over several instances, with everything that a fault looks at or takes hold of. */
export class World {
  readonly cluster: Cluster;
  readonly redis: AnyRedis;
  /** Of the instances. */
  readonly saveLeaseMs: number;
  readonly #total: number;
  /** All that ever ran: what was counted of those that were killed still counts. */
  readonly #processes: Set<ServerProcess>;

  constructor(cluster: Cluster, redis: AnyRedis, { edits, saveLeaseMs }: { edits: number; saveLeaseMs: number }) {
    this.cluster = cluster;
    this.redis = redis;
    this.#total = edits;
    this.saveLeaseMs = saveLeaseMs;
    this.#processes = new Set(cluster.servers);
  }

  get metaKey(): string {
    return KEYS.orderingMeta(this.cluster.running.sessionId);
  }

  get saved(): number {
    return this.cluster.running.register.saved.length;
  }

  /** Operations that clients keep because nobody told them that they are saved. */
  get held(): number {
    return this.cluster.running.authors.reduce((sum, { counts }) => sum + counts.unsent + counts.ordered, 0);
  }

  /** The replay has gone wrong, and goes no further. */
  get isBroken(): boolean {
    return this.cluster.running.register.problems.length > 0;
  }

  /** Waits until so many more edits are saved, or all of them. */
  work(edits: number): Promise<void> {
    const until = Math.min(this.saved + edits, this.#total);
    return this.until(`${edits} more edits to be saved`, () => this.saved >= until);
  }

  until(what: string, check: () => boolean | void | Promise<boolean | void>): Promise<void> {
    return eventually(what, () => this.isBroken || check(), DEADLINE_MS);
  }

  /** For so long a fault lasts. */
  lasts(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Whoever is connected to this instance has been told everything that is ordered now. */
  async hears(index: number): Promise<void> {
    const { authors, reader } = this.cluster.running;
    const there = [...authors, reader].filter((_, place) => place % this.cluster.servers.length === index);
    const { seq } = await this.hot();
    await this.until(`the clients of instance ${index} to have ${seq}`, () =>
      there.every(({ head }) => head.seq >= seq),
    );
  }

  /** The server that decides about the session, once it is known. */
  async server(): Promise<RedisServer> {
    const found: RedisServer[] = [];
    await this.until('somebody to say who decides', async () => {
      found.push(await this.redis.serverOf(this.metaKey));
    });
    const [server] = found;
    if (!server) throw new Error('nobody decides about the session');
    return server;
  }

  async hot(on?: RedisServer): Promise<Hot> {
    const server = on ?? (await this.redis.serverOf(this.metaKey));
    const row = await server.command((client) => client.hmget(this.metaKey, 'epoch', 'seq', 'savedSeq'));
    const [epoch = 0, seq = 0, savedSeq = 0] = row.map(Number);
    return { epoch, seq, savedSeq };
  }

  /** Index of the instance that saves; -1: nobody does. */
  async saver(): Promise<number> {
    const key = KEYS.orderingSaver(this.cluster.running.sessionId);
    const server = await this.redis.serverOf(key);
    const holder = await server.command((client) => client.get(key));
    return this.cluster.servers.findIndex((_, index) => holder === `i${index}`);
  }

  /** How often instances found that the hot log was not the one they knew. */
  get reopenings(): number {
    return this.#linesWith('discontinuity; opening the session again');
  }

  /** How often the store refused. */
  get refusedByStore(): number {
    return this.#linesWith('the store refuses, as it was told to');
  }

  /** Operations refused by the processes that run; it falls when one ends. */
  async refused(): Promise<number> {
    const all = await Promise.all(
      this.cluster.servers.map(async ({ url }) => (await ask(`${url}/ws/stats`, stats)).body.operations.refused),
    );
    return all.reduce((sum, refused) => sum + refused, 0);
  }

  async restart(index: number): Promise<void> {
    await this.cluster.restart(index);
    const server = this.cluster.servers[index];
    if (server) this.#processes.add(server);
  }

  /** Why an instance is not ready, as codes. */
  async reasons(index: number): Promise<string[]> {
    const { body } = await ask(`${this.cluster.servers[index]?.url}/health`, health);
    return body.reasons.map(({ code }) => code);
  }

  /** Every instance hears hints of the session, and the others through the Socket.IO adapter. */
  async demandHearing(): Promise<void> {
    const names = this.cluster.servers.map((_, index) => `flow:i${index}:adapter`);
    const channel = KEYS.orderingLive(this.cluster.running.sessionId);
    const numSub = this.redis.kind === 'cluster' ? 'SHARDNUMSUB' : 'NUMSUB';
    await this.until('every instance to hear the others', async () => {
      const server = await this.redis.serverOf(channel);
      const [, followers] = (await server.command((client) => client.call('PUBSUB', numSub, channel))) as unknown[];
      if (Number(followers) < names.length) throw new Error(`${String(followers)} hear hints at ${server.port}`);
      const lists = await Promise.all(
        (await this.redis.masters()).map((master) => master.command((client) => client.client('LIST'))),
      );
      // In a cluster the adapter listens to any node, also to a replica.
      if (this.redis.kind === 'cluster')
        lists.push(...(await Promise.all(this.redis.cluster.nodes.map((node) => clientsOf(node)))));
      const listening = lists
        .flatMap((list) => String(list).split('\n'))
        .filter((line) => !/ sub=0 psub=0 /.test(line));
      const deaf = names.filter((name) => !listening.some((line) => line.includes(` name=${name} `)));
      if (deaf.length > 0) throw new Error(`${deaf.join(', ')} hear nobody`);
    });
  }

  /** From now on the store refuses, until the answered function is called. */
  async refuseToStore(): Promise<() => Promise<void>> {
    const file = join(this.cluster.documents, REFUSE_FILE);
    await writeFile(file, '');
    return () => rm(file);
  }

  #linesWith(text: string): number {
    return [...this.#processes].reduce((sum, { lines }) => sum + lines.filter((line) => line.includes(text)).length, 0);
  }
}

const clientsOf = (node: RedisServer): Promise<unknown> =>
  node.command((client) => client.client('LIST')).catch(() => '');
