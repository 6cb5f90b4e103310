import { loadConfig } from '../../config/load-config';
import { systemClock, type Clock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { MemoryRateLimits } from '../../src/limits/memory-rate-limits';
import type { Allowance } from '../../src/limits/rate-limits';
import { RedisRateLimits } from '../../src/limits/redis-rate-limits';
import { RedisKeys } from '../../src/redis/keys';
import { RedisConnections } from '../../src/redis/redis-connections';
import { Telemetry } from '../../src/telemetry/telemetry';
import { eventually } from '../support/eventually';
import { ManualClock } from '../support/manual-clock';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';
import { RedisServer } from '../support/redis-server';
import { rateLimitsContract } from './rate-limits.contract';

const make = (redis: RedisConnections, keys: RedisKeys, clock: Clock): RedisRateLimits =>
  new RedisRateLimits({ redis, keys, clock, log: silentLogger, insurance: new MemoryRateLimits({ clock }) });

const MESSAGES: Allowance = { limiter: 'default', caller: 'ann', route: '/api/messages', points: 5, seconds: 60 };

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backend = redisBackendForAll(kind);

  rateLimitsContract(`Redis (${kind}), two instances`, async () => {
    const keys = backend().freshKeys();
    const clock = new ManualClock();
    const [one, other] = [backend().connections('one'), backend().connections('other')];
    const limits = { one: make(one, keys, clock), other: make(other, keys, clock) };
    await one.start();
    await other.start();
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await backend().pass(one, ms);
    };
    return { ...limits, pass };
  });

  test('the key is that of the seed, letter by letter, and ends by itself; who is refused is not asked for again', async () => {
    const keys = backend().freshKeys();
    const redis = backend().connections('one');
    const limits = make(redis, keys, systemClock);
    await redis.start();
    await limits.take(MESSAGES, 5);
    const key = keys.throttle('default', 'ann', '/api/messages');
    expect(key).toMatch(/^flow-\d+:throttle:default:ann:\/api\/messages$/);
    const client = redis.client('command');
    expect(await client.get(key)).toBe('5');
    expect(await client.pttl(key)).toBeGreaterThan(55_000);
    for (let time = 0; time < 100; time += 1) expect((await limits.take(MESSAGES, 1)).isAllowed).toBe(false);
    expect(await client.get(key)).toBe('6');
  });
});

describe('when Redis is away', () => {
  const keys = new RedisKeys('flow:');
  let server: RedisServer;
  let connections: RedisConnections;
  let limits: RedisRateLimits;
  beforeEach(async () => {
    server = await RedisServer.start();
    connections = new RedisConnections({
      settings: loadConfig({ REDIS_URL: server.url }).redis,
      instanceId: 'one',
      clock: systemClock,
      log: silentLogger,
      telemetry: new Telemetry(),
    });
    limits = make(connections, keys, systemClock);
    await connections.start();
  });
  afterEach(async () => {
    server.signal('SIGCONT');
    await connections.stop();
    await server.stop();
  });

  /** What is promised of the first answers while Redis stands still. */
  const FIRST_MS = 1_500;
  /** At once, on a busy machine. */
  const AT_ONCE_MS = 250;

  test.each<[string, 'SIGSTOP' | 'SIGKILL']>([
    ['stands still (SIGSTOP)', 'SIGSTOP'],
    ['is killed', 'SIGKILL'],
  ])(
    '[LM9] Redis %s: limits answer in time at first, at once from then on, and never open the door',
    async (_what, signal) => {
      expect((await limits.take(MESSAGES, 3)).remaining).toBe(2);
      server.signal(signal);
      const ask = async (): Promise<{ ms: number; isAllowed: boolean }> => {
        const startedAt = performance.now();
        const { isAllowed } = await limits.take(MESSAGES, 1);
        return { ms: performance.now() - startedAt, isAllowed };
      };
      const first = await Promise.all([ask(), ask(), ask()]);
      // What was taken before counts here, too.
      expect(first.map(({ isAllowed }) => isAllowed)).toEqual([true, true, false]);
      for (const { ms } of first) expect(ms).toBeLessThan(FIRST_MS);
      // For longer than it takes until Redis is tried again.
      const until = performance.now() + 2_500;
      let asked = 0;
      while (performance.now() < until) {
        const bob = { ...MESSAGES, caller: `bob-${asked}` };
        const startedAt = performance.now();
        expect((await limits.take(bob, 6)).isAllowed).toBe(false);
        expect((await limits.take({ ...bob, caller: `${bob.caller}-too` }, 5)).isAllowed).toBe(true);
        expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS);
        expect(await ask()).toMatchObject({ isAllowed: false });
        asked += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(asked).toBeGreaterThan(100);
    },
  );

  test('[LM9] it counts in Redis again when that is back', async () => {
    server.signal('SIGSTOP');
    expect((await limits.take(MESSAGES, 1)).isAllowed).toBe(true);
    server.signal('SIGCONT');
    const client = connections.client('command');
    let asked = 0;
    await eventually('it counts there', async () => {
      asked += 1;
      const caller = `bob-${asked}`;
      await limits.take({ ...MESSAGES, caller }, 1);
      expect(await client.get(keys.throttle('default', caller, '/api/messages'))).toBe('1');
    });
  });
});
