import { Redis } from 'ioredis';
import { health, stats } from '../../src/http/schemas';
import { eventually } from '../support/eventually';
import { replayWithFault, type Cluster } from '../support/redis-replay';
import { RedisServer } from '../support/redis-server';
import { ask, Processes } from '../support/server-process';

const processes = new Processes();
const servers: RedisServer[] = [];
afterEach(async () => {
  await processes.clean();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const DEADLINE_MS = 120_000;
/** Every acknowledged write survives the server's death. */
const ON_DISK = ['--appendonly', 'yes', '--appendfsync', 'always'];

async function startRedis(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...args);
  servers.push(server);
  return server;
}

/** One command on a connection of its own. */
async function command<Answer>(redis: RedisServer, run: (client: Redis) => Promise<Answer>): Promise<Answer> {
  const client = new Redis(redis.port, '127.0.0.1');
  try {
    return await run(client);
  } finally {
    client.disconnect();
  }
}

/** Some instance has found that the hot log is not the one it knew. */
const isNoticed = ({ servers: instances }: Cluster): boolean =>
  instances.some(({ lines }) => lines.some((line) => line.includes('discontinuity; opening the session again')));

async function refusedBy({ servers: instances }: Cluster): Promise<number> {
  const counts = await Promise.all(
    instances.map(async ({ url }) => (await ask(`${url}/ws/stats`, stats)).body.operations.refused),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function readiness({ servers: [first] }: Cluster): Promise<string[]> {
  const { body } = await ask(`${first?.url}/health`, health);
  return body.reasons.map(({ code }) => code);
}

/** What a test does to Redis, and how it knows that it really happened. */
const FAULTS: Readonly<Record<string, (redis: RedisServer, cluster: Cluster) => Promise<void>>> = {
  'Redis killed with -9 and started again with what it wrote': async (redis, cluster) => {
    await redis.kill();
    await eventually('not ready without Redis', async () => (await readiness(cluster)).includes('redis-unavailable'));
    await redis.launch();
    await eventually('ready again', async () => (await readiness(cluster)).length === 0);
  },
  'Redis killed with -9 and started again empty': async (redis, cluster) => {
    await redis.kill();
    await redis.wipe();
    await redis.launch();
    await eventually('the vanished log is noticed', () => isNoticed(cluster));
  },
  FLUSHALL: async (redis, cluster) => {
    await command(redis, (client) => client.flushall());
    await eventually('the vanished log is noticed', () => isNoticed(cluster));
  },
  'Redis stopped for five seconds (SIGSTOP)': async (redis, cluster) => {
    redis.signal('SIGSTOP');
    const stoppedAt = performance.now();
    const savedBefore = cluster.running.register.saved.length;
    await eventually('five seconds', () => performance.now() - stoppedAt > 5_000);
    expect(cluster.running.register.saved.length - savedBefore).toBeLessThan(200);
    redis.signal('SIGCONT');
  },
  'SCRIPT FLUSH, and the hint connections cut': async (redis) => {
    await command(redis, async (client) => {
      await client.script('FLUSH');
      expect(await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBeGreaterThan(0);
    });
  },
  'maxmemory reached': async (redis, cluster) => {
    await command(redis, (client) => client.config('SET', 'maxmemory', '1mb'));
    await eventually('operations are refused', async () => (await refusedBy(cluster)) > 0);
    await command(redis, (client) => client.config('SET', 'maxmemory', '0'));
  },
  'every instance stopped for two seconds (SIGSTOP)': async (_redis, cluster) => {
    const stalledAt = performance.now();
    for (const server of cluster.servers) server.signal('SIGSTOP');
    await eventually('two seconds', () => performance.now() - stalledAt > 2_000);
    for (const server of cluster.servers) server.signal('SIGCONT');
  },
  'an instance killed with -9 and started again': async (_redis, cluster) => {
    cluster.servers[0]?.signal('SIGKILL');
    await cluster.servers[0]?.ended;
    await cluster.restart(0);
  },
  'all instances killed with -9 and started again': async (_redis, cluster) => {
    for (const server of cluster.servers) server.signal('SIGKILL');
    await Promise.all(cluster.servers.map(({ ended }) => ended));
    await Promise.all(cluster.servers.map((_, index) => cluster.restart(index)));
  },
};

test(
  'a replay over three instances ends equal when Redis comes back with an older dump',
  async () => {
    const redis = await startRedis('--appendonly', 'no');
    const { report } = await replayWithFault({
      processes,
      redis: { REDIS_URL: redis.url },
      async fault(cluster) {
        const { saved } = cluster.running.register;
        await command(redis, (client) => client.call('SAVE'));
        const dumpedAt = saved.length;
        await eventually('more than the dump has', () => saved.length > dumpedAt + 300);
        await redis.kill();
        await redis.launch();
        await eventually('the older log is noticed', () => isNoticed(cluster));
      },
    });
    expect(report.problems).toEqual([]);
  },
  DEADLINE_MS,
);

describe('a replay over three instances on one Redis ends equal through', () => {
  test.each(Object.entries(FAULTS))(
    '%s',
    async (_what, happen) => {
      const redis = await startRedis(...ON_DISK);
      const { report } = await replayWithFault({
        processes,
        redis: { REDIS_URL: redis.url },
        fault: (cluster) => happen(redis, cluster),
      });
      expect(report.problems).toEqual([]);
    },
    DEADLINE_MS,
  );
});
