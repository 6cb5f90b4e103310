import { access, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { health } from '../../src/http/schemas';
import { RedisServer } from '../support/redis-server';
import { ask, portToComeBackTo, Processes, ROOT, type Ended, type Variables } from '../support/server-process';

const processes = new Processes();
afterEach(() => processes.clean());

const DEADLINE_MS = 120_000;

/** A directory with its own `.env`; whatever Redis was started in it has stopped in the end. */
async function place(settings: Variables): Promise<string> {
  const cwd = await processes.directory();
  await writeFile(
    join(cwd, '.env'),
    Object.entries(settings)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
  );
  processes.onClean(async () => {
    await redis(cwd, 'down');
  });
  return cwd;
}

/** What `npm run redis:…` runs, as on a machine without Docker. */
const redis = (cwd: string, ...args: string[]): Promise<Ended & { output: string }> =>
  processes.run(join(ROOT, 'scripts/redis.js'), args, { cwd, env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } });

test(
  'without Docker redis:up starts a redis-server of this machine, redis:cli talks to it, redis:down stops exactly it and keeps its data',
  async () => {
    const port = await portToComeBackTo();
    const cwd = await place({ REDIS_PORT: String(port), REDIS_PASSWORD: 'hu"sh \\ x' });
    const up = await redis(cwd, 'up');
    expect(up.output).toMatch(new RegExp(`^Redis runs at 127\\.0\\.0\\.1:${port} \\(process \\d+\\)`));
    expect(up.code).toBe(0);
    expect((await redis(cwd, 'up')).output).toContain('answers at');

    expect((await redis(cwd, 'cli', 'SET', 'kept', 'yes')).output).toBe('OK');
    for (const [name, value] of [
      ['appendonly', 'yes'],
      ['maxmemory-policy', 'noeviction'],
      ['bind', '127.0.0.1 -::1'],
    ] as const)
      expect((await redis(cwd, 'cli', 'CONFIG', 'GET', name)).output).toBe(`${name}\n${value}`);

    const down = await redis(cwd, 'down');
    expect(down).toMatchObject({ code: 0, output: expect.stringContaining('has stopped') });
    const pid = Number(/process (\d+)/.exec(up.output)?.[1]);
    expect(() => process.kill(pid, 0)).toThrow();
    expect((await redis(cwd, 'down')).output).toBe('No Redis was started here.');

    await redis(cwd, 'up');
    expect((await redis(cwd, 'cli', 'GET', 'kept')).output).toBe('yes');
  },
  DEADLINE_MS,
);

test(
  'a Redis that somebody else started is neither started again nor stopped',
  async () => {
    const server = await RedisServer.start();
    try {
      const cwd = await place({ REDIS_PORT: String(server.port) });
      expect((await redis(cwd, 'up')).output).toContain('answers at');
      expect(await readdir(cwd)).toEqual(['.env']);
      expect((await redis(cwd, 'down')).output).toBe('No Redis was started here.');
      expect((await redis(cwd, 'cli', 'PING')).output).toBe('PONG');
    } finally {
      await server.stop();
    }
  },
  DEADLINE_MS,
);

test.each<[Variables, RegExp]>([
  [{ REDIS_HOST: 'redis.example.com' }, /REDIS_HOST .*redis\.example\.com.*on this machine only/],
  [{ REDIS_URL: 'rediss://localhost:6380' }, /REDIS_TLS/],
  [{ REDIS_CLUSTER_NODES: '127.0.0.1:7001' }, /REDIS_CLUSTER_NODES.*docker-compose\.redis-cluster\.yml/],
  [{ REDIS_USERNAME: 'ada' }, /REDIS_USERNAME/],
])('%j is not for redis:up to start, and it says so', async (settings, why) => {
  const { code, output } = await redis(await place(settings), 'up');
  expect(output).toMatch(why);
  expect(output.split('\n')).toHaveLength(1);
  expect(code).toBe(1);
});

test('docker:up without a Docker engine says so', async () => {
  const { code, output } = await redis(await place({}), 'docker-up');
  expect({ code, output }).toEqual({
    code: 1,
    output: expect.stringMatching(/^There is no Docker engine: .*redis:up/),
  });
});

test(
  'dev:full starts a Redis, and the server from source with every service on it',
  async () => {
    const cwd = await place({ REDIS_PORT: String(await portToComeBackTo()) });
    const full = await processes.launch([process.execPath, join(ROOT, 'scripts/dev-full.js')], {
      cwd,
      env: {
        DOCKER_HOST: 'unix:///nowhere/docker.sock',
        HOME: await processes.directory(),
        PORT: '0',
        DOCUMENT_DIR: join(cwd, 'documents'),
      },
    });
    await full.line(/^Redis runs at/);
    const [, url = ''] = await full.line(/Flow Backend listens on (http:\/\/localhost:\d+)/);
    const { body } = await ask(`${url}/health`, health);
    expect(new Set(Object.values(body.services).map(({ backend }) => backend))).toEqual(new Set(['redis']));
    expect(body.redis).toMatchObject({ mode: 'single', status: 'ok' });
    await full.end('SIGTERM');
    await access(join(cwd, 'data/redis/redis.pid'));
  },
  DEADLINE_MS,
);
