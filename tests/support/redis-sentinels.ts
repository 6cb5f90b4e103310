import { eventually } from './eventually';
import { RedisServer } from './redis-server';

const NAME = 'flow-test';
const SENTINELS = 3;
/** So many sentinels must find the master away. */
const QUORUM = 2;
/** A test does not wait as long as an operator would let it. */
const DOWN_AFTER_MS = 500;
const FAILOVER_TIMEOUT_MS = 3_000;
const DEADLINE_MS = 30_000;

/** A master with one replica, and three sentinels that promote it when the master is away. */
export class RedisSentinels {
  readonly servers: readonly RedisServer[];
  readonly #sentinels: readonly RedisServer[];

  static async start(...args: string[]): Promise<RedisSentinels> {
    const master = await RedisServer.start('--repl-diskless-sync-delay', '0', ...args);
    const follow = ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'];
    const replica = await RedisServer.start(...follow, ...args);
    const sentinels = await Promise.all(
      Array.from({ length: SENTINELS }, () =>
        RedisServer.startSentinel([
          `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${QUORUM}`,
          `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
          `sentinel failover-timeout ${NAME} ${FAILOVER_TIMEOUT_MS}`,
        ]),
      ),
    );
    const made = new RedisSentinels([master, replica], sentinels);
    await made.whole();
    return made;
  }

  private constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers;
    this.#sentinels = sentinels;
  }

  get variables(): Record<string, string> {
    const addresses = this.#sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return { REDIS_SENTINELS: addresses, REDIS_SENTINEL_NAME: NAME };
  }

  /** The one that the sentinels agree on. */
  async master(): Promise<RedisServer> {
    const ports = await Promise.all(
      this.#sentinels.map((server) =>
        server.command(async (client) => {
          const found = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
          return Array.isArray(found) ? Number(found[1]) : 0;
        }),
      ),
    );
    const server = this.servers.find(({ port }) => ports.every((said) => said === port));
    if (!server) throw new Error(`the sentinels name ${ports.join(', ')}`);
    return server;
  }

  /** Everybody knows everybody, and the replica has what the master has. */
  async whole(): Promise<void> {
    await eventually(
      'the sentinels to know each other, the master and the replica',
      async () => {
        const master = await this.master();
        const info = await master.command((client) => client.info('replication'));
        if (!/role:master[^]*slave0:[^\r]*state=online/.test(info)) throw new Error(info);
        for (const sentinel of this.#sentinels) {
          const line = await sentinel.command((client) => client.info('sentinel'));
          if (!line.includes(`status=ok,address=127.0.0.1:${master.port},slaves=1,sentinels=${SENTINELS}`))
            throw new Error(line);
        }
      },
      DEADLINE_MS,
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#sentinels, ...this.servers].map((server) => server.stop()));
  }
}
