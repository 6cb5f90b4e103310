import { RedisAccessHints } from '../../src/access/redis-access-hints';
import { silentLogger } from '../../src/lib/logger';
import { RedisHints } from '../../src/redis/redis-hints';
import { eventually } from '../support/eventually';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';

describe.each(REDIS_KINDS)('AccessHints on Redis (%s), two instances', (kind) => {
  const backend = redisBackendForAll(kind);

  test('what one tells the other hears, until it stops; without Redis nothing fails, and it is heard again afterwards', async () => {
    const keys = backend().freshKeys();
    const make = async (instanceId: string) => {
      const redis = backend().connections(instanceId);
      const hints = new RedisHints({ redis, log: silentLogger });
      const made = new RedisAccessHints({ redis, hints, keys, log: silentLogger });
      await redis.start();
      return made;
    };
    const [one, other] = [await make('one'), await make('other')];
    let heard = 0;
    await other.follow(() => (heard += 1));
    one.tell();
    await eventually('it is heard', () => heard > 0);
    await backend().kill();
    one.tell();
    await backend().launch();
    heard = 0;
    await eventually('it is heard again', () => {
      one.tell();
      return heard > 0;
    });
    await other.stop();
    await one.stop();
    expect(heard).toBeGreaterThan(0);
  });
});
