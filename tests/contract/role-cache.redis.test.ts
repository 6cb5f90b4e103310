import { RedisRoleCache } from '../../src/access/redis-role-cache';
import { systemClock, type Clock } from '../../src/lib/clock';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { ManualClock } from '../support/manual-clock';
import { REDIS_KINDS, redisBackendForAll } from '../support/redis-backend';
import { roleCacheContract, TTL_MS } from './role-cache.contract';

const ANY = { since: 0, until: Number.MAX_SAFE_INTEGER };
/** If each of them waited for Redis, it would be five seconds at least. */
const MANY = 20;
/** Generous, for a machine that is busy with other things. */
const A_FEW_WAITS_MS = 1_000;
const row = { role: 'editor', link: 'viewer', number: 3 } as const;

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backend = redisBackendForAll(kind);

  async function start(clock: Clock) {
    const keys = backend().freshKeys();
    const { log } = logLines();
    const nodes = ['one', 'other'].map((name) => {
      const redis = backend().connections(name);
      return { redis, cache: new RedisRoleCache({ redis, keys, clock, log, ttlMs: TTL_MS }) };
    });
    for (const { redis } of nodes) await redis.start();
    const [one, other] = nodes;
    if (!one || !other) throw new Error('there are two');
    return { keys, redis: one.redis, one: one.cache, other: other.cache };
  }

  roleCacheContract(`Redis (${kind}), two instances`, async () => {
    const clock = new ManualClock();
    const { redis, one, other } = await start(clock);
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await backend().pass(redis, ms);
    };
    return { one, other, pass, stop: async () => {} };
  });

  test('the key is that of the seed, holds JSON, and ends', async () => {
    const { keys, redis, one } = await start(systemClock);
    await one.put('novel', 'ann', row);
    const client = redis.client('command');
    expect(keys.role('novel', 'ann')).toMatch(/^flow-\d+:role:novel:ann$/);
    await eventually('it is there', async () => {
      expect(JSON.parse((await client.get(keys.role('novel', 'ann'))) ?? 'null')).toEqual(row);
    });
    const ttlMs = await client.pttl(keys.role('novel', 'ann'));
    expect(ttlMs).toBeLessThanOrEqual(TTL_MS);
    expect(ttlMs).toBeGreaterThan(TTL_MS - 10_000);
  });

  test('what is none of ours is not there', async () => {
    const { keys, redis, one } = await start(systemClock);
    const odd = [
      '',
      'x',
      '{}',
      '{"role":"king","link":"none","number":1}',
      '{"role":"owner","link":"none","number":-1}',
    ];
    for (const [index, text] of odd.entries()) {
      await redis.client('command').set(keys.role('novel', `odd ${index}`), text);
      expect(await one.get('novel', `odd ${index}`, ANY)).toBeNull();
    }
  });
});

describe('when Redis is away', () => {
  const backend = redisBackendForAll('single');

  test.each(['killed', 'frozen'] as const)(
    '%s, it costs a quarter of a second once, and nobody after that; what is put is there; when it is back, it is asked again',
    async (how) => {
      const { lines, log } = logLines();
      const [redis, elsewhere] = [backend().connections('one'), backend().connections('other')];
      const keys = backend().freshKeys();
      const cache = new RedisRoleCache({ redis, keys, clock: systemClock, log, ttlMs: TTL_MS });
      elsewhere.client('command');
      await redis.start();
      await elsewhere.start();
      if (how === 'killed') await backend().kill();
      else backend().signal('SIGSTOP');
      const firstAt = performance.now();
      expect(await cache.get('novel', 'ann', ANY)).toBeNull();
      expect(performance.now() - firstAt).toBeLessThan(1_500);
      // Until the command that was sent is given up; then somebody may be the next to find out, without waiting.
      await eventually('it to be known', () =>
        lines.some(({ msg }) => msg.startsWith('roles are not read from Redis')),
      );
      const laterAt = performance.now();
      for (let count = 0; count < MANY; count += 1) expect(await cache.get('novel', `user ${count}`, ANY)).toBeNull();
      await cache.put('novel', 'ann', row);
      expect(await cache.get('novel', 'ann', ANY)).toEqual(row);
      expect(performance.now() - laterAt).toBeLessThan(A_FEW_WAITS_MS);
      if (how === 'killed') await backend().launch();
      else backend().signal('SIGCONT');
      await eventually('it to be asked again', async () => {
        await elsewhere.client('command').set(keys.role('novel', 'bob'), JSON.stringify(row));
        expect(await cache.get('novel', 'bob', ANY)).toEqual(row);
      });
      expect(lines.at(-1)?.msg).toBe('roles are read from Redis again');
    },
  );
});
