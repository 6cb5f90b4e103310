import { loadConfig } from '../../config/load-config';
import { systemClock } from '../../src/lib/clock';
import { isAskedFor, RedisDebug } from '../../src/redis/redis-debug';
import { RedisConnections } from '../../src/redis/redis-connections';
import { Telemetry } from '../../src/telemetry/telemetry';
import { eventually } from '../support/eventually';
import { logLines, type LogLine } from '../support/log-lines';
import { RedisServer } from '../support/redis-server';

const LEVEL = { debug: 20, info: 30, warn: 40, error: 50 };

let server: RedisServer;
let redis: RedisConnections;
let lines: LogLine[];
beforeEach(async () => {
  server = await RedisServer.start('--requirepass', 'hush-hush');
});
afterEach(async () => {
  await redis.stop();
  await server.stop();
});

function connections({ env = {}, debug }: { env?: Record<string, string>; debug?: string } = {}): RedisConnections {
  const { log, lines: told } = logLines();
  lines = told;
  const settings = loadConfig({ REDIS_URL: `redis://:hush-hush@127.0.0.1:${server.port}`, ...env }).redis;
  redis = new RedisConnections({
    settings,
    instanceId: 'one',
    clock: systemClock,
    log,
    telemetry: new Telemetry(),
    debug: RedisDebug.of(debug, log),
  });
  for (const role of ['command', 'publisher', 'subscriber', 'adapter'] as const) redis.client(role);
  return redis;
}

const at = (...levels: Array<keyof typeof LEVEL>): string[] =>
  lines.filter(({ level }) => levels.some((name) => LEVEL[name] === level)).map(({ msg }) => msg);

const count = (msg: string): number => lines.filter((line) => line.msg === msg).length;

test('connecting, connected and closed are a line each, whatever the number of connections', async () => {
  await connections().start();
  await redis.stop();
  expect(at('info', 'warn', 'error')).toEqual([
    'Connecting to Redis',
    '✅ Redis connected successfully',
    'Redis connection closed',
  ]);
  expect(JSON.stringify(lines)).not.toContain('hush');
});

test('an outage is one line for what is wrong, one that it is tried again, and one with counts when it is over', async () => {
  await connections({ env: { REDIS_RETRY_DELAY: '50' } }).start();
  lines.length = 0;
  await server.kill();
  await eventually('it was tried many times', async () => count('Redis connection lost, reconnecting') > 30);
  await server.launch();
  await eventually('it is back', async () => count('Redis is back') > 0);
  expect(at('warn')).toEqual(['Redis connection lost, reconnecting']);
  expect(at('error')).toEqual([
    expect.stringMatching(/^Redis cannot be reached at 127\.0\.0\.1:\d+ \(connect ECONNREFUSED .*\)\. Is it running\?/),
  ]);
  expect(at('info')).toEqual(['Redis is back']);
  expect(lines.find(({ msg }) => msg === 'Redis connection lost, reconnecting')).toMatchObject({
    attempt: 1,
    delayMs: expect.any(Number),
  });
  const back = lines.find(({ msg }) => msg === 'Redis is back');
  expect(back).toMatchObject({ awayMs: expect.any(Number), redis: `127.0.0.1:${server.port}` });
  expect(Number(Reflect.get(back ?? {}, 'attempts'))).toBeGreaterThan(30);
  expect(redis.status).toBe('ok');
});

test('an operation that takes longer than REDIS_SLOW_MS is told by name and time', async () => {
  await connections({ env: { REDIS_SLOW_MS: '20' } }).start();
  await redis.ask('quick', (client) => client.call('PING'));
  await redis.ask('slow', (client) => client.call('BLPOP', 'nothing', '0.05'));
  const told = lines.filter(({ msg }) => msg === 'Redis operation took longer than expected');
  expect(told).toEqual([expect.objectContaining({ level: LEVEL.warn, command: 'slow', count: 1 })]);
  expect(Number(Reflect.get(told[0] ?? {}, 'ms'))).toBeGreaterThanOrEqual(50);
});

describe('DEBUG', () => {
  test('redis:* tells each command, operation and event by name and time, and nothing they carry', async () => {
    await connections({ debug: 'redis:*' }).start();
    await redis.ask('keep', (client) => client.set('a-secret-key', 'a-secret-value'));
    await redis.ask('script', (client) => client.eval('return ARGV[1]', 1, 'a-secret-key', 'a-secret-value'));
    await redis.askMany('many', [(to) => to.get('a-secret-key'), (to) => to.publish('a-secret-channel', 'a-secret')]);
    await redis.stop();
    const commands = lines.filter(({ msg }) => msg === 'Redis command');
    for (const command of ['set', 'eval', 'get', 'publish', 'quit'])
      expect(commands).toContainEqual(
        expect.objectContaining({
          level: LEVEL.debug,
          command,
          ms: expect.any(Number),
          server: `127.0.0.1:${server.port}`,
        }),
      );
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'Redis operation', operation: 'keep' }));
    for (const event of ['connect', 'ready', 'close', 'end'])
      await eventually(`the adapter's ${event}`, () =>
        expect(lines).toContainEqual(expect.objectContaining({ msg: 'Redis connection', role: 'adapter', event })),
      );
    expect(JSON.stringify(lines)).not.toMatch(/a-secret|hush/);
  });

  test('without it, or for something else, there is none of it', async () => {
    await connections({ debug: 'express:*,socket.io*' }).start();
    await redis.ask('keep', (client) => client.set('key', 'value'));
    expect(at('debug')).toEqual([]);
  });

  test.each<[string, string, boolean]>([
    ['redis:*', 'redis:command', true],
    ['*', 'redis:command', true],
    ['redis:command', 'redis:command', true],
    ['redis:command', 'redis:connection', false],
    ['express, redis:*,-redis:command', 'redis:command', false],
    ['express, redis:*,-redis:command', 'redis:connection', true],
    ['ioredis:*', 'redis:command', false],
    ['', 'redis:command', false],
  ])('%p and %s: %p', (debug, namespace, isWanted) => {
    expect(isAskedFor(debug, namespace)).toBe(isWanted);
  });
});
