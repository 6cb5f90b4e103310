import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisSaveDuty } from '../../src/ordering/redis-save-duty';
import { RedisHints } from '../../src/redis/redis-hints';
import { REDIS_KINDS, RedisBackend } from '../support/redis-backend';
import { saveDutyContract } from './save-duty.contract';

for (const kind of REDIS_KINDS) {
  saveDutyContract(`Redis (${kind})`, async () => {
    const backend = await RedisBackend.start(kind);
    const redis = backend.connections('one');
    const hints = new RedisHints({ redis, log: silentLogger });
    const ordering = new RedisEventOrdering({ redis, hints, keys: backend.keys, clock: systemClock });
    const duty = new RedisSaveDuty({ redis, keys: backend.keys, ordering, instanceId: 'one' });
    await redis.start();
    return { duty, stop: () => backend.stop() };
  });
}
