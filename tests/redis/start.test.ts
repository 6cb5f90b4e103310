import { health } from '../../src/http/schemas';
import { makeCertificates } from '../support/redis-certificates';
import { freePort, RedisServer } from '../support/redis-server';
import { listening } from '../../src/tools/server-process';
import { ask, portToComeBackTo, Processes, SERVER, type Variables } from '../support/server-process';

const processes = new Processes();
const servers: RedisServer[] = [];
afterEach(async () => {
  await processes.clean();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function startRedis(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...args);
  servers.push(server);
  return server;
}

const launch = async (env: Variables) =>
  processes.launch([process.execPath, SERVER], {
    env: { HOST: '127.0.0.1', PORT: '0', DOCUMENT_STORE: 'memory', USE_REDIS_EVENT_ORDERING: 'true', ...env },
  });

/** What a server that cannot use its Redis says last, with REDIS_FALLBACK=exit. */
async function refusal(env: Variables): Promise<string> {
  const launched = await launch({ REDIS_FALLBACK: 'exit', ...env });
  const { code } = await launched.ended;
  expect(code).toBe(1);
  const said = launched.lines.filter((line) => line.startsWith('Flow Backend cannot start.'));
  expect(said).toHaveLength(1);
  return said[0] ?? '';
}

const address = ({ port }: RedisServer): Variables => ({ REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) });

describe('a Redis that cannot be used is told with what to change', () => {
  test('nobody listens', async () => {
    const port = await portToComeBackTo();
    expect(await refusal({ REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) })).toMatch(
      /cannot be reached at 127\.0\.0\.1:\d+ \(connect ECONNREFUSED 127\.0\.0\.1:\d+\)\. Is it running\? Check REDIS_HOST and REDIS_PORT/,
    );
  });

  test('a password is wanted, and none is set', async () => {
    const redis = await startRedis('--requirepass', 'hush');
    expect(await refusal(address(redis))).toMatch(/wants a password: set REDIS_PASSWORD/);
  });

  test('the password is wrong, and is not repeated', async () => {
    const redis = await startRedis('--requirepass', 'hush');
    const said = await refusal({ ...address(redis), REDIS_PASSWORD: 'not-the-one' });
    expect(said).toMatch(/refuses the password: check REDIS_PASSWORD/);
    expect(said).not.toContain('not-the-one');
  });

  test('a password is set, and Redis has none', async () => {
    const redis = await startRedis();
    expect(await refusal({ ...address(redis), REDIS_PASSWORD: 'hush' })).toMatch(
      /has no password, but REDIS_PASSWORD is set.*ERR AUTH <password> called without any password configured/,
    );
  });

  test('a user may not do what is needed', async () => {
    const redis = await startRedis('--user', 'ada', 'on', '>hush', '+@read', '~*');
    expect(await refusal({ ...address(redis), REDIS_USERNAME: 'ada', REDIS_PASSWORD: 'hush' })).toMatch(
      /may not do this: give REDIS_USERNAME the commands/,
    );
  });

  test('a user may not do what a script needs', async () => {
    const redis = await startRedis('--user', 'ada', 'on', '>hush', '+@all', '-time', '~*', '&*');
    expect(await refusal({ ...address(redis), REDIS_USERNAME: 'ada', REDIS_PASSWORD: 'hush' })).toMatch(
      /may not do this: give REDIS_USERNAME the commands/,
    );
  });

  test('sentinels that are not there, or know no such master', async () => {
    const variables = { REDIS_SENTINEL_NAME: 'flow' };
    const port = await portToComeBackTo();
    expect(await refusal({ ...variables, REDIS_SENTINELS: `127.0.0.1:${port}` })).toMatch(
      /behind sentinels 127\.0\.0\.1:\d+.*REDIS_SENTINEL/,
    );
    const redis = await RedisServer.startSentinel([]);
    servers.push(redis);
    expect(await refusal({ ...variables, REDIS_SENTINELS: `127.0.0.1:${redis.port}` })).toMatch(
      /behind sentinels 127\.0\.0\.1:\d+.*REDIS_SENTINEL/,
    );
  });

  test('nobody listens where the nodes of a cluster should be', async () => {
    const port = await portToComeBackTo();
    expect(await refusal({ REDIS_CLUSTER_NODES: `127.0.0.1:${port}` })).toMatch(/Check REDIS_CLUSTER_NODES/);
  });

  test('TLS is wanted of a Redis without it', async () => {
    const { port } = await startRedis();
    const variables = { REDIS_URL: `rediss://127.0.0.1:${port}`, REDIS_CONNECT_TIMEOUT: '500' };
    expect(await refusal(variables)).toMatch(/Check REDIS_HOST and REDIS_PORT, or REDIS_URL, and REDIS_TLS/);
  });

  test('a certificate of an authority that is not trusted', async () => {
    const directory = await processes.directory();
    const { ca, certificate, key } = await makeCertificates(directory);
    const port = await freePort();
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', ca];
    await startRedis('--tls-port', String(port), '--tls-auth-clients', 'no', ...files);
    expect(await refusal({ REDIS_URL: `rediss://localhost:${port}` })).toMatch(/REDIS_TLS_CA/);
  });

  test('a full Redis would throw keys away', async () => {
    const redis = await startRedis('--maxmemory', '8mb', '--maxmemory-policy', 'allkeys-lru');
    expect(await refusal(address(redis))).toMatch(/maxmemory-policy allkeys-lru.*Set it to noeviction/);
  });

  test('one node of a cluster is given as if it were the only one', async () => {
    const redis = await startRedis('--cluster-enabled', 'yes');
    expect(await refusal(address(redis))).toMatch(/set REDIS_CLUSTER_NODES|does not serve/);
  });
});

describe('with REDIS_FALLBACK=memory the server runs in memory, says so once, and shows it', () => {
  test.each<[string, Variables, string]>([
    ['an address was given', { REDIS_HOST: '127.0.0.1', REDIS_PORT: '1' }, 'Connection failed'],
    ['none was given', { REDIS_PORT: '1' }, 'No Redis configuration'],
  ])('%s', async (_what, env, why) => {
    const server = await listening(await launch(env));
    const loud = server.lines.filter((line) => line.includes('using in-memory fallback'));
    expect(loud).toEqual([expect.stringContaining(`"msg":"[Redis] ${why}, using in-memory fallback"`)]);
    expect(server.lines.join('\n')).toContain('ℹ️ [RedisDI] Using in-memory Event Ordering Service');
    const { status, body } = await ask(`${server.url}/health`, health);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'degraded',
      services: { eventOrdering: { backend: 'memory', configured: 'redis', status: 'degraded' } },
      redis: { mode: 'none', status: 'unused' },
    });
  });

  test.each<[string, string[], Variables, RegExp]>([
    ['a password is wanted, and none is set', ['--requirepass', 'hush'], {}, /set REDIS_PASSWORD/],
    ['the password is wrong', ['--requirepass', 'hush'], { REDIS_PASSWORD: 'not-the-one' }, /check REDIS_PASSWORD/],
    [
      'a password is set, and Redis has none',
      [],
      { REDIS_PASSWORD: 'not-the-one' },
      /REDIS_PASSWORD is set: leave it empty/,
    ],
  ])('%s: the same line has what to change', async (_what, args, env, remedy) => {
    const redis = await startRedis(...args);
    const server = await listening(await launch({ ...address(redis), ...env }));
    const loud = server.lines.filter((line) => remedy.test(line));
    expect(loud).toEqual([expect.stringContaining('"msg":"[Redis] Connection failed, using in-memory fallback"')]);
    expect(loud.join()).not.toContain('not-the-one');
  });

  test('in production it does not start', async () => {
    const launched = await launch({ REDIS_PORT: '1', NODE_ENV: 'production', ALLOW_OPEN_AUTH: 'true' });
    expect((await launched.ended).code).toBe(1);
  });
});

test('a Redis user with a name, and a key prefix, are used', async () => {
  const redis = await startRedis('--user', 'ada', 'on', '>hush', '+@all', '~mine:*', '&mine:*');
  const server = await listening(
    await launch({ ...address(redis), REDIS_USERNAME: 'ada', REDIS_PASSWORD: 'hush', REDIS_KEY_PREFIX: 'mine:' }),
  );
  const { body } = await ask(`${server.url}/health`, health);
  expect(body.redis).toMatchObject({ mode: 'single', status: 'ok' });
});
