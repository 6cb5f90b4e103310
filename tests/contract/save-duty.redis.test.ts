import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisSaveDuty } from '../../src/ordering/redis-save-duty';
import { RedisHints } from '../../src/redis/redis-hints';
import { REDIS_KINDS, RedisBackend } from '../support/redis-backend';
import { saveDutyContract } from './save-duty.contract';

const LEASE_MS = 5_000;

async function dutyOf(backend: RedisBackend, instanceId: string) {
  const { keys } = backend;
  const redis = backend.connections(instanceId);
  const hints = new RedisHints({ redis, log: silentLogger });
  const ordering = new RedisEventOrdering({ redis, hints, keys, clock: systemClock });
  const duty = new RedisSaveDuty({ redis, keys, ordering, instanceId, leaseMs: LEASE_MS });
  await redis.start();
  return { duty, redis };
}

async function start(kind: (typeof REDIS_KINDS)[number]) {
  const backend = await RedisBackend.start(kind);
  return { ...(await dutyOf(backend, 'one')), backend, keys: backend.keys, stop: () => backend.stop() };
}

for (const kind of REDIS_KINDS) saveDutyContract(`Redis (${kind})`, () => start(kind));

test.each(REDIS_KINDS)(
  '[SV1] of two instances one saves a session, until it gives that up or its lease ends (%s)',
  async (kind) => {
    const { duty: one, redis, backend, stop } = await start(kind);
    try {
      const { duty: other } = await dutyOf(backend, 'other');
      expect(await one.claim(['a', 'b'])).toEqual(new Set(['a', 'b']));
      expect(await other.claim(['a', 'b', 'c'])).toEqual(new Set(['c']));
      await one.release(['a']);
      await other.release(['b']);
      expect(await other.claim(['a', 'b'])).toEqual(new Set(['a']));
      await backend.pass(redis, LEASE_MS);
      expect(await other.claim(['b'])).toEqual(new Set(['b']));
      expect(await one.claim(['a', 'b'])).toEqual(new Set(['a']));
    } finally {
      await stop();
    }
  },
);

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
