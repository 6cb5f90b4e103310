import { RedisInstanceBus } from '../../src/instances/redis-instance-bus';
import type { RedisKeys } from '../../src/redis/keys';
import type { RedisConnections } from '../../src/redis/redis-connections';
import { RedisHints } from '../../src/redis/redis-hints';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { REDIS_KINDS, type RedisBackend, redisBackendForAll } from '../support/redis-backend';
import { expectNothingUnhandled } from '../support/unhandled';
import { instanceBusContract } from './instance-bus.contract';

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  expectNothingUnhandled();

  async function instanceOn(backend: RedisBackend, keys: RedisKeys) {
    const redis = backend.connections('one');
    const { lines, log } = logLines();
    const bus = new RedisInstanceBus({ redis, hints: new RedisHints({ redis, log }), keys, log });
    await redis.start();
    return { bus, redis, lines };
  }

  instanceBusContract(`Redis (${kind}), two instances`, async () => {
    const keys = backendOf().freshKeys();
    const [one, other] = [await instanceOn(backendOf(), keys), await instanceOn(backendOf(), keys)];
    return {
      one: one.bus,
      other: other.bus,
      stop: async () => void (await Promise.all([one.redis.stop(), other.redis.stop()])),
    };
  });

  test('what is said while Redis is away is lost, and said so once; later it is heard again', async () => {
    const backend = backendOf();
    const keys = backend.freshKeys();
    const [one, other] = [await instanceOn(backend, keys), await instanceOn(backend, keys)];
    const running: RedisConnections[] = [one.redis, other.redis];
    try {
      const heard: string[] = [];
      await other.bus.follow('s', (message) => heard.push(message)).begun;
      await backend.kill();
      for (let count = 0; count < 5; count += 1) one.bus.tell('s', 'lost');
      const began = 'other instances cannot be told who is here; they are told again';
      const lines = (text: string): number => one.lines.filter(({ msg }) => msg === text).length;
      await eventually('it is noticed', () => lines(began) === 1);
      await backend.launch();
      await eventually(
        'it is heard again',
        () => {
          one.bus.tell('s', 'again');
          return heard.includes('again');
        },
        30_000,
      );
      expect(heard).not.toContain('lost');
      expect(lines(began)).toBe(1);
      expect(lines('other instances are told again who is here')).toBe(1);
    } finally {
      await Promise.all(running.map((redis) => redis.stop()));
    }
  }, 60_000);
});
