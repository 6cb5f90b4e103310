import { RedisDevices } from '../../src/access/redis-devices';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';
import { devicesContract, TTL_MS } from './devices.contract';

const NOW = 1_700_000_000_000;
const sighting = { userId: 'ann', deviceId: 'phone', label: '', address: '', at: NOW };

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backend = redisBackendForAll(kind);

  async function start() {
    const keys = backend().freshKeys();
    const [one, other] = [backend().connections('one'), backend().connections('other')];
    const devices = [one, other].map((redis) => new RedisDevices({ redis, keys, ttlMs: TTL_MS }));
    await one.start();
    await other.start();
    const [first, second] = devices;
    if (!first || !second) throw new Error('there are two');
    return { keys, redis: one, one: first, other: second, stop: async () => {} };
  }

  devicesContract(`Redis (${kind}), two instances`, async () => {
    const nodes = await start();
    return { ...nodes, pass: (ms) => backend().pass(nodes.redis, ms) };
  });

  test('the keys are those of the seed, and every one of them ends', async () => {
    const { keys, redis, one } = await start();
    await one.seen(sighting);
    const client = redis.client('command');
    expect(keys.device('phone')).toMatch(/^flow-\d+:session:phone$/);
    expect(keys.devicesOf('ann')).toMatch(/^flow-\d+:user:sessions:ann$/);
    expect(JSON.parse((await client.get(keys.device('phone'))) ?? '')).toMatchObject({ userId: 'ann' });
    expect(await client.smembers(keys.devicesOf('ann'))).toEqual(['phone']);
    for (const key of [keys.device('phone'), keys.devicesOf('ann')]) {
      expect(await client.pttl(key)).toBeGreaterThan(TTL_MS - 5_000);
    }
  });

  test('an id whose device is gone, or is none of ours, is passed over and removed', async () => {
    const { keys, redis, one } = await start();
    await one.seen(sighting);
    const client = redis.client('command');
    await client.sadd(keys.devicesOf('ann'), 'gone', 'odd');
    await client.set(keys.device('odd'), '{"userId":"ann"}');
    expect((await one.list('ann')).map(({ deviceId }) => deviceId)).toEqual(['phone']);
    expect(await client.smembers(keys.devicesOf('ann'))).toEqual(['phone']);
  });
});

describe('when Redis is away', () => {
  const backend = redisBackendForAll('single');

  test('everything is BACKEND_UNAVAILABLE, and goes on when it is back', async () => {
    const redis = backend().connections('one');
    const devices = new RedisDevices({ redis, keys: backend().freshKeys(), ttlMs: TTL_MS });
    await redis.start();
    await backend().kill();
    for (const asked of [devices.seen(sighting), devices.list('ann'), devices.forget('ann', ['phone'])]) {
      await expect(asked).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    }
    await backend().launch();
    await new Promise((resolve) => redis.client('command').once('ready', resolve));
    await devices.seen(sighting);
    expect(await devices.list('ann')).toHaveLength(1);
  });
});
