import { makeHistory } from '../../src/tools/traces';
import { replayWithFault } from '../support/redis-replay';
import { makeCertificates } from '../support/redis-certificates';
import { RedisSentinels } from '../support/redis-sentinels';
import { freePort, RedisCluster, RedisServer } from '../support/redis-server';
import { Processes } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

const DEADLINE_MS = 120_000;

const KINDS = {
  'one Redis': async () => {
    const server = await RedisServer.start();
    return { variables: { REDIS_URL: server.url }, stop: () => server.stop() };
  },
  'a Redis with a password': async () => {
    const server = await RedisServer.start('--requirepass', 'hush');
    return { variables: { REDIS_URL: `redis://:hush@127.0.0.1:${server.port}` }, stop: () => server.stop() };
  },
  'a Redis with TLS, signed by an authority of its own': async () => {
    const directory = await processes.directory();
    const { ca, certificate, key } = await makeCertificates(directory);
    const port = await freePort();
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', ca];
    const server = await RedisServer.start('--tls-port', String(port), '--tls-auth-clients', 'no', ...files);
    const variables = { REDIS_URL: `rediss://localhost:${port}`, REDIS_TLS_CA: ca };
    return { variables, stop: () => server.stop() };
  },
  'a master behind three sentinels': async () => {
    const sentinels = await RedisSentinels.start();
    return { variables: sentinels.variables, stop: () => sentinels.stop() };
  },
  'a Redis Cluster of six nodes': async () => {
    const cluster = await RedisCluster.start();
    const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return { variables: { REDIS_CLUSTER_NODES: nodes }, stop: () => cluster.stop() };
  },
} as const;

test.each(Object.entries(KINDS))(
  'two authors and a reader on three instances end equal on %s',
  async (_kind, startRedis) => {
    const { variables, stop } = await startRedis();
    processes.onClean(stop);
    const { report, servers } = await replayWithFault({
      processes,
      redis: variables,
      history: makeHistory({ seed: 2, edits: 1_500, authors: 2 }),
      perSecond: null,
      fault: async () => {},
    });
    expect(report.problems).toEqual([]);
    for (const { lines } of servers) {
      expect(lines.some((line) => line.includes('✅ [RedisDI] Using Redis Event Ordering Service'))).toBe(true);
      expect(lines.some((line) => line.includes('✅ Redis connected successfully'))).toBe(true);
    }
  },
  DEADLINE_MS,
);
