import { Cluster } from 'ioredis';
import { loadConfig } from '../../config/load-config';
import type { RedisSettings } from '../../config/redis-settings';
import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisKeys } from '../../src/redis/keys';
import { RedisConnections } from '../../src/redis/redis-connections';
import { Telemetry } from '../../src/telemetry/telemetry';
import { RedisCluster, RedisServer } from './redis-server';

export const REDIS_KINDS = ['single', 'cluster'] as const;

/** Redis as a contract suite needs it: one server or a cluster, and connections of two instances. */
export class RedisBackend {
  /** For server processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly settings: RedisSettings;
  readonly keys: RedisKeys;
  readonly #server: RedisServer | RedisCluster;
  readonly #connections: RedisConnections[] = [];
  #prefixes = 0;

  static async start(kind: (typeof REDIS_KINDS)[number]): Promise<RedisBackend> {
    if (kind === 'single') {
      const server = await RedisServer.start();
      return new RedisBackend({ REDIS_URL: server.url }, server);
    }
    const cluster = await RedisCluster.start();
    const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return new RedisBackend({ REDIS_CLUSTER_NODES: nodes }, cluster);
  }

  private constructor(env: Record<string, string>, server: RedisServer | RedisCluster) {
    this.env = env;
    this.settings = loadConfig(env).redis;
    this.keys = new RedisKeys(this.settings.keyPrefix);
    this.#server = server;
  }

  /** Keys that nothing else has used, for a test that shares the server with others. */
  freshKeys(): RedisKeys {
    this.#prefixes += 1;
    return new RedisKeys(`flow-${this.#prefixes}:`);
  }

  /** Connections of one instance; call `start` on them when everything that uses them is made. */
  connections(instanceId: string): RedisConnections {
    const { settings } = this;
    const made = new RedisConnections({
      settings,
      instanceId,
      clock: systemClock,
      log: silentLogger,
      telemetry: new Telemetry(),
    });
    this.#connections.push(made);
    return made;
  }

  /** The server dies without a word, with everything in it. */
  kill(): Promise<void> {
    return this.#server.kill();
  }

  /** SIGSTOP: it stands still, and keeps its connections. */
  signal(signal: NodeJS.Signals): void {
    const servers = this.#server instanceof RedisCluster ? this.#server.nodes : [this.#server];
    for (const server of servers) server.signal(signal);
  }

  /** It comes back, empty. */
  launch(): Promise<void> {
    return this.#server.launch();
  }

  /** As if `ms` had passed there: every lease ends, and every key goes, so much sooner. */
  async pass(redis: RedisConnections, ms: number): Promise<void> {
    const client = redis.client('command');
    const nodes = client instanceof Cluster ? client.nodes('master') : [client];
    await Promise.all(nodes.map((node) => node.eval(PASS, 0, ms)));
  }

  /** All keys there are, each with its time to live in ms; -1: for ever. */
  async keysLeft(redis: RedisConnections): Promise<Record<string, number>> {
    const client = redis.client('command');
    const nodes = client instanceof Cluster ? client.nodes('master') : [client];
    const keys = (await Promise.all(nodes.map((node) => node.keys('*')))).flat();
    const ttls = await Promise.all(keys.map((key) => client.pttl(key)));
    return Object.fromEntries(keys.map((key, index) => [key, ttls[index] ?? -1]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#connections.map((connections) => connections.stop()));
    await this.#server.stop();
  }
}

/** ARGV: ms. Sorted sets are leases here; their scores are times. */
const PASS = `
local ms = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', key).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ms, member) end
  end
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, math.max(left - ms, 0)) end
end
`;

/** Inside a `describe`: one server for all its tests. */
export function redisBackendForAll(kind: (typeof REDIS_KINDS)[number]): () => RedisBackend {
  let backend: RedisBackend;
  beforeAll(async () => {
    backend = await RedisBackend.start(kind);
  });
  afterAll(() => backend.stop());
  return () => backend;
}
