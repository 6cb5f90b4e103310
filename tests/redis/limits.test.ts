import { health, stats } from '../../src/http/schemas';
import { RedisServer } from '../support/redis-server';
import { ask, Processes, type ServerProcess } from '../support/server-process';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
const clients: WireClient[] = [];
let redis: RedisServer;

beforeEach(async () => {
  redis = await RedisServer.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await processes.clean();
  redis.signal('SIGCONT');
  await redis.stop();
});

/** What is promised of the first answers while Redis stands still; the machine is busy with other tests. */
const FIRST_MS = 1_500;
const AT_ONCE_MS = 500;
const PER_MINUTE = 5;

async function startTwo(flags: readonly string[]): Promise<[ServerProcess, ServerProcess]> {
  const documents = await processes.directory();
  const start = (INSTANCE_ID: string) =>
    processes.startServer({
      documents,
      env: {
        ...Object.fromEntries(flags.map((flag) => [`USE_REDIS_${flag}`, 'true'])),
        USER_HTTP_REQUESTS_PER_MINUTE: String(PER_MINUTE),
        USER_CONNECTS_PER_MINUTE: String(PER_MINUTE),
        REDIS_URL: redis.url,
        INSTANCE_ID,
      },
    });
  return [await start('one'), await start('other')];
}

const list = async ({ url }: ServerProcess, user: string): Promise<{ status: number; ms: number }> => {
  const startedAt = performance.now();
  const { status } = await fetch(`${url}/api/sessions`, { headers: { authorization: `Bearer ${user}` } });
  return { status, ms: performance.now() - startedAt };
};

async function connect({ url }: ServerProcess, user: string): Promise<string> {
  try {
    clients.push(await WireClient.connect(url, { user }));
    return 'let in';
  } catch (fault) {
    return (fault as { data: { code: string } }).data.code;
  }
}

const ALL = ['EVENT_ORDERING', 'COLLABORATION', 'WEBSOCKETS', 'RATE_LIMITS'];

test('[LM3, LM7] what a user may do counts on both instances together; /health, /ws/stats and the log say where it is counted', async () => {
  const [one, other] = await startTwo(ALL);
  for (const server of [one, other]) {
    expect(server.lines.filter((line) => line.includes('✅ [RedisDI] Using Redis Rate Limits'))).toHaveLength(1);
    expect((await ask(`${server.url}/health`, health)).body.services.rateLimits).toEqual({
      backend: 'redis',
      configured: 'redis',
      status: 'ok',
    });
    expect((await ask(`${server.url}/ws/stats`, stats)).body.backends.rateLimits).toBe('redis');
  }
  const statuses: number[] = [];
  for (let count = 0; count <= PER_MINUTE; count += 1)
    statuses.push((await list(count % 2 ? one : other, 'ann')).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
  expect((await list(one, 'ann')).status).toBe(429);
  const connected: string[] = [];
  for (let count = 0; count <= PER_MINUTE; count += 1) connected.push(await connect(count % 2 ? one : other, 'ann'));
  expect(connected).toEqual([...Array.from({ length: PER_MINUTE }, () => 'let in'), 'RATE_LIMITED']);
});

test.each<[string, 'SIGSTOP' | 'SIGKILL']>([
  ['stands still (SIGSTOP)', 'SIGSTOP'],
  ['is killed', 'SIGKILL'],
])(
  '[LM9] Redis %s: requests are answered in time at first, at once from then on, and limited',
  async (_what, signal) => {
    const documents = await processes.directory();
    const server = await processes.startServer({
      documents,
      env: { USE_REDIS_RATE_LIMITS: 'true', USER_HTTP_REQUESTS_PER_MINUTE: String(PER_MINUTE), REDIS_URL: redis.url },
    });
    expect((await list(server, 'ann')).status).toBe(200);
    redis.signal(signal);
    const first = await list(server, 'ann');
    expect(first.status).toBe(200);
    expect(first.ms).toBeLessThan(FIRST_MS);
    const answers = [];
    for (let count = 0; count < 50; count += 1) answers.push(await list(server, count % 2 ? 'ann' : 'bob'));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(PER_MINUTE - 2 + PER_MINUTE);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(50 - (PER_MINUTE - 2 + PER_MINUTE));
    for (const { ms } of answers) expect(ms).toBeLessThan(AT_ONCE_MS);
    const told = server.lines.filter((line) => line.includes('rate limits count in memory'));
    expect(told).toHaveLength(1);
    expect(await connect(server, 'ann')).toBe('let in');
  },
);
