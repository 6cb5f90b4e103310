import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisSaveDuty } from '../../src/ordering/redis-save-duty';
import { RedisHints } from '../../src/redis/redis-hints';
import { REDIS_KINDS, RedisBackend } from '../support/redis-backend';
import { saveDutyContract } from './save-duty.contract';

async function start(kind: (typeof REDIS_KINDS)[number]) {
  const backend = await RedisBackend.start(kind);
  const redis = backend.connections('one');
  const hints = new RedisHints({ redis, log: silentLogger });
  const ordering = new RedisEventOrdering({ redis, hints, keys: backend.keys, clock: systemClock });
  const duty = new RedisSaveDuty({ redis, keys: backend.keys, ordering, instanceId: 'one', leaseMs: 5_000 });
  await redis.start();
  return { duty, redis, keys: backend.keys, stop: () => backend.stop() };
}

for (const kind of REDIS_KINDS) saveDutyContract(`Redis (${kind})`, () => start(kind));

test("[SV2] what is no id, and somebody has put among the unsaved sessions, is nobody's orphan", async () => {
  const { duty, redis, keys, stop } = await start('single');
  try {
    const client = redis.client('command');
    for (const text of ['sound', '../../etc', '..', '']) {
      const hotLog = { epoch: '1', seq: '5', tag: 'x', savedSeq: '0', savedTag: '', floor: '0' };
      await client.hset(keys.orderingMeta(text), hotLog);
      await client.sadd(keys.orderingUnsaved(), text);
    }
    expect(await duty.orphans()).toEqual(['sound']);
  } finally {
    await stop();
  }
});
