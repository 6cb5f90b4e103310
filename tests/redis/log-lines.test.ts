import { Redis } from 'ioredis';
import { z } from 'zod';
import { eventually } from '../support/eventually';
import { RedisServer } from '../support/redis-server';
import {
  type LaunchedProcess,
  portToComeBackTo,
  Processes,
  SERVER,
  type ServerProcess,
  type Variables,
} from '../support/server-process';
import { WireClient } from '../support/wire-client';

// What people look for in the log, letter by letter: they have it in their notes, and in the programs that watch.

const processes = new Processes();
let redis: RedisServer;
beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  await processes.clean();
  await redis.stop();
});

const ON_REDIS = [
  '✅ [RedisDI] Using Redis WebSocket Manager',
  '✅ [RedisDI] Using Redis Collaboration Service',
  '✅ [RedisDI] Using Redis Event Ordering Service',
  'ℹ️ [RedisDI] Using in-memory Device Sessions',
  'ℹ️ [RedisDI] Using in-memory Rate Limits',
  'ℹ️ [RedisDI] Using in-memory Role Cache',
  'Connecting to Redis',
  '✅ Redis connected successfully',
  '[SocketAdapter] Redis adapter configured for Socket.IO',
];
const IN_MEMORY = [
  'ℹ️ [RedisDI] Using in-memory WebSocket Manager',
  'ℹ️ [RedisDI] Using in-memory Collaboration Service',
  'ℹ️ [RedisDI] Using in-memory Event Ordering Service',
  'ℹ️ [RedisDI] Using in-memory Device Sessions',
  'ℹ️ [RedisDI] Using in-memory Rate Limits',
  'ℹ️ [RedisDI] Using in-memory Role Cache',
];

const FLAGS: Variables = {
  USE_REDIS_WEBSOCKETS: 'true',
  USE_REDIS_COLLABORATION: 'true',
  USE_REDIS_EVENT_ORDERING: 'true',
};

const start = async (env: Variables): Promise<ServerProcess> =>
  processes.startServer({ documents: await processes.directory(), env });

const line = z.looseObject({ msg: z.string(), level: z.int() });
type Line = z.output<typeof line>;

const linesOf = ({ lines }: LaunchedProcess): Line[] =>
  lines.filter((text) => text.startsWith('{')).map((text) => line.parse(JSON.parse(text)));

/** What was said up to the line that every server says last when it starts, without that and what is said of AUTH_MODE=open. */
const saidAtStart = (server: LaunchedProcess): string[] => {
  const said = linesOf(server).map(({ msg }) => msg);
  const end = said.findIndex((msg) => msg.startsWith('Flow Backend listens on'));
  return said.slice(0, end).filter((msg) => !msg.startsWith('AUTH_MODE=open'));
};

const found = (server: LaunchedProcess, part: string): Line[] =>
  linesOf(server).filter(({ msg }) => msg.includes(part));

test('all services in Redis', async () => {
  expect(saidAtStart(await start({ ...FLAGS, REDIS_URL: redis.url }))).toEqual(ON_REDIS);
});

test('all services in memory', async () => {
  expect(saidAtStart(await start({ REDIS_URL: redis.url }))).toEqual(IN_MEMORY);
});

test.each<[string, Variables]>([
  ['[Redis] No Redis configuration, using in-memory fallback', { REDIS_PORT: '1' }],
  ['[Redis] Connection failed, using in-memory fallback', { REDIS_HOST: '127.0.0.1', REDIS_PORT: '1' }],
])('%s', async (told, env) => {
  const server = await start({ ...FLAGS, ...env, REDIS_FALLBACK: 'memory' });
  expect(saidAtStart(server)).toEqual([told, ...IN_MEMORY]);
});

test('a password that Redis does not know: what Redis says of it', async () => {
  const env = { ...FLAGS, HOST: '127.0.0.1', PORT: String(await portToComeBackTo()), REDIS_FALLBACK: 'exit' };
  const launched = await processes.launch([process.execPath, SERVER], {
    env: { ...env, REDIS_URL: redis.url, REDIS_PASSWORD: 'hush' },
  });
  await launched.ended;
  const [told] = launched.lines.filter((said) => said.startsWith('Flow Backend cannot start.'));
  expect(told).toContain('ERR AUTH <password> called without any password configured');
});

test('Redis slow, full, gone and back: what it said itself, once, and not once per operation', async () => {
  const server = await start({ ...FLAGS, REDIS_URL: redis.url, REDIS_SLOW_MS: '50', REDIS_RETRY_DELAY: '100' });
  const cli = new Redis(redis.port, '127.0.0.1');
  const client = await WireClient.connect(server.url, { user: 'ada' });
  processes.onClean(async () => {
    cli.disconnect();
    client.close();
  });
  const { session } = await client.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  await client.demand('session:join', { sessionId });

  redis.signal('SIGSTOP');
  await eventually('slowness is told', () => found(server, 'Redis operation took longer than expected').length > 0);
  redis.signal('SIGCONT');
  const [slow] = found(server, 'Redis operation took longer than expected');
  expect(slow).toMatchObject({ msg: 'Redis operation took longer than expected', command: expect.any(String) });

  await cli.config('SET', 'maxmemory', '1mb');
  const refusal = await client.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['one'] });
  expect(refusal).toMatchObject({ code: 'BUSY' });
  expect(refusal.message).toContain("OOM command not allowed when used memory > 'maxmemory'");
  expect(refusal.message).toContain('raise its maxmemory');
  await cli.config('SET', 'maxmemory', '0');
  cli.disconnect();

  await redis.kill();
  const refused = `connect ECONNREFUSED 127.0.0.1:${redis.port}`;
  await eventually('the outage is told', () => found(server, refused).length > 0);
  expect(found(server, 'Redis connection lost, reconnecting').length).toBeGreaterThan(0);
  await redis.launch();
  await eventually('its end is told', () => found(server, 'Redis is back').length > 0);
  await eventually('operations are taken again', async () => {
    await client.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['one'] });
  });

  expect((await server.end('SIGTERM')).code).toBe(0);
  expect(found(server, 'Redis connection closed')).toHaveLength(1);
  expect(found(server, 'Redis operation took longer than expected')).toHaveLength(1);
  // Four connections at most: one line each.
  expect(found(server, refused).length).toBeLessThanOrEqual(4);
});
