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
  readonly settings: RedisSettings;
  readonly keys: RedisKeys;
  readonly #stopServer: () => Promise<void>;
  readonly #connections: RedisConnections[] = [];

  static async start(kind: (typeof REDIS_KINDS)[number]): Promise<RedisBackend> {
    if (kind === 'single') {
      const server = await RedisServer.start();
      return new RedisBackend({ REDIS_URL: server.url }, () => server.stop());
    }
    const cluster = await RedisCluster.start();
    const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return new RedisBackend({ REDIS_CLUSTER_NODES: nodes }, () => cluster.stop());
  }

  private constructor(env: Record<string, string>, stopServer: () => Promise<void>) {
    this.settings = loadConfig(env).redis;
    this.keys = new RedisKeys(this.settings.keyPrefix);
    this.#stopServer = stopServer;
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

  async stop(): Promise<void> {
    await Promise.all(this.#connections.map((connections) => connections.stop()));
    await this.#stopServer();
  }
}
