import { Redis } from 'ioredis';
import { health, ownSessionReply, stats } from '../../src/http/schemas';
import { participant } from '../../src/protocol/schemas';
import { eventually } from '../support/eventually';
import { RedisServer } from '../support/redis-server';
import { ask, Processes, type ServerProcess, type Variables } from '../support/server-process';
import { demandOneText, gatherTypists } from '../support/typist';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
let redis: RedisServer;
let cli: Redis;
beforeEach(async () => {
  redis = await RedisServer.start('--appendonly', 'yes');
  cli = new Redis(redis.port, '127.0.0.1');
});
afterEach(async () => {
  cli.disconnect();
  await processes.clean();
  await redis.stop();
});

const ADMIN_TOKEN = 'the token of administrators';

/** Instances with everything on Redis and one store; a copy of `.env.development` could have the same lines. */
async function startInstances(count: number, env: Variables = {}): Promise<ServerProcess[]> {
  const documents = await processes.directory();
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      processes.startServer({
        documents,
        env: {
          REDIS_HOST: '127.0.0.1',
          REDIS_PORT: String(redis.port),
          REDIS_PASSWORD: '',
          REDIS_DB: '0',
          REDIS_SESSION_TTL: '3600',
          REDIS_MAX_RETRIES: '3',
          REDIS_RETRY_DELAY: '1000',
          USE_REDIS_COLLABORATION: 'true',
          USE_REDIS_WEBSOCKETS: 'true',
          USE_REDIS_EVENT_ORDERING: 'true',
          INSTANCE_ID: `instance-${index + 1}`,
          ...env,
        },
      }),
    ),
  );
}

async function connect({ url }: ServerProcess, user: string): Promise<WireClient> {
  const client = await WireClient.connect(url, { user });
  processes.onClean(async () => client.close());
  return client;
}

async function startOne(env: Variables = {}): Promise<ServerProcess> {
  const [server] = await startInstances(1, env);
  if (!server) throw new Error('there is no server');
  return server;
}

async function createAndJoin(client: WireClient): Promise<string> {
  const { session } = await client.demand('session:create', { format: 'json', title: 'Notes' });
  const { sessionId } = session;
  await client.demand('session:join', { sessionId });
  return sessionId;
}

test('it connects, and says what every service runs on', async () => {
  const server = await startOne();
  for (const line of [
    '✅ Redis connected successfully',
    '✅ [RedisDI] Using Redis WebSocket Manager',
    '✅ [RedisDI] Using Redis Collaboration Service',
    '✅ [RedisDI] Using Redis Event Ordering Service',
  ]) {
    expect(server.lines.filter((said) => said.includes(`"msg":"${line}"`))).toHaveLength(1);
  }
  const onRedis = { backend: 'redis', configured: 'redis', status: 'ok' };
  expect(await ask(`${server.url}/health`, health)).toMatchObject({
    status: 200,
    body: {
      status: 'ok',
      services: { websockets: onRedis, collaboration: onRedis, eventOrdering: onRedis },
      redis: { mode: 'single', status: 'ok' },
      reasons: [],
    },
  });
});

test('a session that is made, joined and edited is to be seen in Redis, and counted', async () => {
  const server = await startOne({ ADMIN_TOKEN });
  const ada = await connect(server, 'ada');
  const sessionId = await createAndJoin(ada);
  await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['one', 'two'] });
  await eventually('it is saved', async () => {
    expect((await ask(`${server.url}/ws/stats`, stats, ADMIN_TOKEN)).body.operations.saved).toBe(2);
  });

  const keys = await cli.keys('flow:*');
  expect(keys).toEqual(
    expect.arrayContaining([
      `flow:sessions:${sessionId}`,
      `flow:participants:{flow:sessions:${sessionId}}`,
      `flow:ordering:{${sessionId}}:meta`,
      `flow:ordering:{${sessionId}}:log`,
      'flow:instances',
      'flow:instance:instance-1',
    ]),
  );
  expect(await cli.keys('*')).toHaveLength(keys.length);
  const { body } = await ask(`${server.url}/api/sessions/${sessionId}`, ownSessionReply, 'ada');
  expect(await cli.hgetall(`flow:sessions:${sessionId}`)).toEqual(
    Object.fromEntries(Object.entries(body.session).map(([name, value]) => [name, String(value)])),
  );
  expect(await cli.hgetall(`flow:ordering:{${sessionId}}:meta`)).toMatchObject({ seq: '2', savedSeq: '2' });

  expect((await ask(`${server.url}/ws/stats`, stats)).body).toMatchObject({
    instanceId: 'instance-1',
    backends: { websockets: 'redis', collaboration: 'redis', eventOrdering: 'redis' },
    connections: { local: 1, cluster: 1 },
    users: 1,
    sessions: { open: 1, participants: 1 },
    operations: { ordered: 2, saved: 2, duplicates: 0, refused: 0 },
    redis: { mode: 'single', status: 'ok' },
  });
});

test.each([2, 3])(
  'people who are spread over %d instances edit one document, and see each other',
  async (count) => {
    const instances = await startInstances(count);
    const [first, ...others] = instances.map(({ url }) => url);
    if (first === undefined) throw new Error('there is no server');
    const names = ['ada', 'bob', 'cy', 'dee'];
    const { sessionId, typists } = await gatherTypists(processes, [first, ...others], names);
    for (const typist of typists) typist.type(10);
    await eventually('much is written', () => typists.every(({ words }) => words.length > 100), 30_000);
    await demandOneText(typists);
    const present = Object.values(await cli.hgetall(`flow:participants:{flow:sessions:${sessionId}}`));
    expect(present.map((text) => participant.parse(JSON.parse(text)).userId).sort()).toEqual(names);
    for (const { url } of instances) {
      await eventually('every instance counts the connections of all', async () => {
        const { connections } = (await ask(`${url}/ws/stats`, stats)).body;
        expect(connections.cluster).toBe(names.length);
        expect(connections.local).toBeGreaterThan(0);
      });
    }
  },
  60_000,
);

test('what Redis shows of a session lasts while it is used', async () => {
  const server = await startOne({ REDIS_SESSION_TTL: '6' });
  const ada = await connect(server, 'ada');
  const sessionId = await createAndJoin(ada);
  const key = `flow:sessions:${sessionId}`;
  let leftMs = await cli.pttl(key);
  expect(leftMs).toBeLessThanOrEqual(6_000);
  await eventually('its end is put off while somebody is there', async () => {
    const before = leftMs;
    leftMs = await cli.pttl(key);
    expect(leftMs).toBeGreaterThan(before);
  });
});

test('the participants of an instance that was killed are gone when their lease ends', async () => {
  const leaseMs = 2_000;
  const [one, other] = await startInstances(2, { PARTICIPANT_LEASE_MS: String(leaseMs) });
  if (!one || !other) throw new Error('there are no two servers');
  const [ada, bob] = [await connect(one, 'ada'), await connect(other, 'bob')];
  const sessionId = await createAndJoin(ada);
  await bob.demand('session:join', { sessionId });
  const present = async () =>
    Object.values(await cli.hgetall(`flow:participants:{flow:sessions:${sessionId}}`)).map(
      (text) => participant.parse(JSON.parse(text)).userId,
    );
  expect((await present()).sort()).toEqual(['ada', 'bob']);
  await eventually('ada is told of bob', () => {
    const joined = ada.all('session:participants').flatMap((change) => change.joined);
    expect(joined.map(({ userId }) => userId)).toContain('bob');
  });

  const killedAt = performance.now();
  await other.end('SIGKILL');
  await eventually('it is told', () => {
    const left = ada.all('session:participants').flatMap((change) => change.left);
    expect(left.map(({ userId }) => userId)).toEqual(['bob']);
  });
  await eventually('Redis shows it', async () => expect(await present()).toEqual(['ada']));
  // The lease, and the time until somebody looks.
  expect(performance.now() - killedAt).toBeLessThan(2 * leaseMs);
});
