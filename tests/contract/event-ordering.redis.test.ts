import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisHints } from '../../src/redis/redis-hints';
import { REDIS_KINDS, RedisBackend } from '../support/redis-backend';
import { eventOrderingContract } from './event-ordering.contract';

for (const kind of REDIS_KINDS) {
  eventOrderingContract(`Redis (${kind}), two instances`, async () => {
    const backend = await RedisBackend.start(kind);
    const instance = async (instanceId: string): Promise<RedisEventOrdering> => {
      const redis = backend.connections(instanceId);
      const hints = new RedisHints({ redis, log: silentLogger });
      const ordering = new RedisEventOrdering({ redis, hints, keys: backend.keys, clock: systemClock });
      await redis.start();
      return ordering;
    };
    return { one: await instance('one'), other: await instance('other'), stop: () => backend.stop() };
  });
}
