import { RedisLine } from './redis-line';
import { RedisSentinels } from './redis-sentinels';
import { RedisCluster, RedisServer } from './redis-server';
import type { Variables } from './server-process';

/** Every acknowledged write survives the server's death. */
const ON_DISK = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Redis as instances use it, and as faults take hold of it. */
export interface Topology {
  /** How an instance reaches it. */
  variables(instance: number): Variables;
  /** The server that decides about a key. */
  serverOf(key: string): Promise<RedisServer>;
  /** All that take writes. */
  masters(): Promise<readonly RedisServer[]>;
  stop(): Promise<void>;
}

/** One server, with a line of its own for every instance. */
export class SingleRedis implements Topology {
  readonly kind = 'single';
  readonly lines: readonly RedisLine[];
  /** The one that counts. */
  server: RedisServer;
  readonly #servers: RedisServer[];

  static async start(instances: number): Promise<SingleRedis> {
    const server = await RedisServer.start(...ON_DISK);
    const lines = await Promise.all(Array.from({ length: instances }, () => RedisLine.start(server.port)));
    return new SingleRedis(server, lines);
  }

  private constructor(server: RedisServer, lines: readonly RedisLine[]) {
    this.server = server;
    this.lines = lines;
    this.#servers = [server];
  }

  variables(instance: number): Variables {
    return { REDIS_URL: this.lines[instance]?.url ?? '' };
  }

  async serverOf(): Promise<RedisServer> {
    return this.server;
  }

  async masters(): Promise<readonly RedisServer[]> {
    return [this.server];
  }

  /** Another server, which ends with the rest. */
  async add(...args: string[]): Promise<RedisServer> {
    const server = await RedisServer.start(...ON_DISK, ...args);
    this.#servers.push(server);
    return server;
  }

  async stop(): Promise<void> {
    await Promise.all(this.lines.map((line) => line.stop()));
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

/** A master and its replica behind three sentinels. */
export class SentinelRedis implements Topology {
  readonly kind = 'sentinel';
  readonly sentinels: RedisSentinels;

  static async start(): Promise<SentinelRedis> {
    return new SentinelRedis(await RedisSentinels.start());
  }

  private constructor(sentinels: RedisSentinels) {
    this.sentinels = sentinels;
  }

  variables(): Variables {
    return this.sentinels.variables;
  }

  serverOf(): Promise<RedisServer> {
    return this.sentinels.master();
  }

  async masters(): Promise<readonly RedisServer[]> {
    return [await this.sentinels.master()];
  }

  stop(): Promise<void> {
    return this.sentinels.stop();
  }
}

/** Six nodes, of which instances are told one. */
export class ClusterRedis implements Topology {
  readonly kind = 'cluster';
  readonly cluster: RedisCluster;
  /** The only one that instances are told of. */
  readonly named: RedisServer;

  static async start(): Promise<ClusterRedis> {
    const cluster = await RedisCluster.start();
    const [named] = cluster.nodes;
    if (!named) throw new Error('a cluster has nodes');
    return new ClusterRedis(cluster, named);
  }

  private constructor(cluster: RedisCluster, named: RedisServer) {
    this.cluster = cluster;
    this.named = named;
  }

  variables(): Variables {
    return { REDIS_CLUSTER_NODES: `127.0.0.1:${this.named.port}` };
  }

  async slotOf(key: string): Promise<number> {
    return this.cluster.anyNode((client) => client.cluster('KEYSLOT', key));
  }

  async serverOf(key: string): Promise<RedisServer> {
    return this.cluster.masterOf(await this.slotOf(key));
  }

  async masters(): Promise<readonly RedisServer[]> {
    const ports = new Set((await this.cluster.slots()).map(({ port }) => port));
    return this.cluster.nodes.filter(({ port }) => ports.has(port));
  }

  /** Moves the slot of a key with everything in it, that key first; `between` runs when it is there and the rest is still here. Answers how many keys moved. */
  async move(first: string, to: RedisServer, between: () => Promise<void>): Promise<number> {
    const slot = await this.slotOf(first);
    const from = await this.cluster.masterOf(slot);
    const idOf = (node: RedisServer): Promise<string> =>
      node.command(async (client) => String(await client.call('CLUSTER', 'MYID')));
    const [fromId, toId] = [await idOf(from), await idOf(to)];
    await to.command((client) => client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId));
    await from.command((client) => client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId));
    let moved = 0;
    for (let keys = [first]; keys.length > 0; keys = await keysIn(from, slot)) {
      await from.command((client) =>
        client.call('MIGRATE', '127.0.0.1', to.port, '', 0, MIGRATE_DEADLINE_MS, 'KEYS', ...keys),
      );
      moved += keys.length;
      if (moved === 1) await between();
    }
    for (const node of new Set([to, from, ...(await this.masters())]))
      await node.command((client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId));
    return moved;
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}

const MIGRATE_DEADLINE_MS = 5_000;

/** One at a time, so that a slot moves in as many steps as it can. */
const keysIn = (node: RedisServer, slot: number): Promise<string[]> =>
  node.command(async (client) => (await client.cluster('GETKEYSINSLOT', slot, 1)).map(String));

export type AnyRedis = SingleRedis | SentinelRedis | ClusterRedis;
