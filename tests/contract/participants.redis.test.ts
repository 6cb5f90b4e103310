import type { Participant } from '../../src/protocol/schemas';
import type { RedisConnections } from '../../src/redis/redis-connections';
import type { RedisKeys } from '../../src/redis/keys';
import { RedisParticipants } from '../../src/sessions/redis-participants';
import { eventually } from '../support/eventually';
import { ManualClock } from '../support/manual-clock';
import { REDIS_KINDS, type RedisBackend, redisBackendForAll } from '../support/redis-backend';
import { expectNothingUnhandled } from '../support/unhandled';
import { LEASE_MS, participantsContract } from './participants.contract';

interface Instance {
  readonly participants: RedisParticipants;
  readonly redis: RedisConnections;
  readonly clock: ManualClock;
}

async function instanceOf(backend: RedisBackend, keys: RedisKeys, leaseMs = LEASE_MS): Promise<Instance> {
  const redis = backend.connections('one');
  const clock = new ManualClock();
  const participants = new RedisParticipants({ redis, keys, clock, leaseMs });
  await redis.start();
  return { participants, redis, clock };
}

const person = (connectionId: string): Participant => ({
  connectionId,
  clientId: `client-of-${connectionId}`,
  userId: `user-of-${connectionId}`,
  role: 'editor',
});

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  expectNothingUnhandled();

  participantsContract(`Redis (${kind}), two instances`, async () => {
    const backend = backendOf();
    const keys = backend.freshKeys();
    const [one, other] = [await instanceOf(backend, keys), await instanceOf(backend, keys)];
    return {
      one: one.participants,
      other: other.participants,
      async pass(ms) {
        await backend.pass(one.redis, ms);
        for (const { clock } of [one, other]) clock.advance(ms);
      },
      stop: async () => void (await Promise.all([one.redis.stop(), other.redis.stop()])),
    };
  });

  describe('participants', () => {
    let backend: RedisBackend;
    let keys: RedisKeys;
    let instances: Instance[];

    beforeEach(() => {
      backend = backendOf();
      keys = backend.freshKeys();
      instances = [];
    });

    afterEach(async () => void (await Promise.all(instances.map(({ redis }) => redis.stop()))));

    async function start(leaseMs?: number): Promise<Instance> {
      const instance = await instanceOf(backend, keys, leaseMs);
      instances.push(instance);
      return instance;
    }

    const keysLeft = (redis: RedisConnections): Promise<number[]> =>
      Promise.all(
        [keys.participants('s'), keys.participantLeases('s')].map((key) => redis.client('command').exists(key)),
      );

    test('leases end by the clock of Redis, and nothing remains when all instances are gone', async () => {
      const { participants, redis } = await start(300);
      await participants.join('s', person('a'));
      expect(await keysLeft(redis)).toEqual([1, 1]);
      await eventually('the lease has ended', async () => (await participants.list('s')).length === 0);
      await eventually('the keys are gone', async () => expect(await keysLeft(redis)).toEqual([0, 0]));
    });

    test("a killed instance's participants are removed by the one that is left", async () => {
      const [killed, left] = [await start(), await start()];
      await killed.participants.join('s', person('a'));
      await left.participants.join('s', person('b'));
      await killed.redis.stop();
      await backend.pass(left.redis, LEASE_MS / 2);
      expect(await left.participants.renew(['b'])).toEqual(new Set(['s']));
      await backend.pass(left.redis, LEASE_MS / 2);
      expect(await left.participants.renew(['b'])).toEqual(new Set());
      expect(await left.redis.client('command').hkeys(keys.participants('s'))).toEqual(['b']);
    });

    test('who was removed while its instance stood still is back with its renewal', async () => {
      const [stalled, left] = [await start(), await start()];
      await stalled.participants.join('s', person('a'));
      await left.participants.join('s', person('b'));
      await backend.pass(left.redis, LEASE_MS / 2);
      await left.participants.renew(['b']);
      await backend.pass(left.redis, LEASE_MS / 2);
      await left.participants.renew(['b']);
      expect(await left.participants.list('s')).toEqual([person('b')]);
      expect(await stalled.participants.renew(['a'])).toEqual(new Set(['s']));
      expect(await left.participants.list('s')).toHaveLength(2);
    });

    test('instances whose clocks differ agree on who is here', async () => {
      const [one, other] = [await start(), await start()];
      other.clock.advance(3_600_000);
      await one.participants.join('s', person('a'));
      await other.participants.join('s', person('b'));
      expect(await other.participants.renew(['b'])).toEqual(new Set(['s']));
      expect(await one.participants.list('s')).toHaveLength(2);
    });

    test('a thousand connections of a session are renewed', async () => {
      const { participants, redis } = await start();
      const everyone = Array.from({ length: 1_100 }, (_, index) => person(`c${index}`));
      for (let from = 0; from < everyone.length; from += 100)
        await Promise.all(everyone.slice(from, from + 100).map((one) => participants.join('s', one)));
      await backend.pass(redis, LEASE_MS - 500);
      await participants.renew(everyone.map(({ connectionId }) => connectionId));
      await backend.pass(redis, LEASE_MS - 500);
      expect(await participants.list('s')).toHaveLength(everyone.length);
      await backend.pass(redis, LEASE_MS);
      expect(await participants.list('s')).toEqual([]);
    });

    test('a row that is none of ours is passed over', async () => {
      const { participants, redis } = await start();
      await participants.join('s', person('a'));
      const client = redis.client('command');
      await client.hset(keys.participants('s'), 'x', 'no JSON', 'y', '{"role":"emperor"}');
      await client.zadd(keys.participantLeases('s'), '9999999999999', 'x', '9999999999999', 'y');
      expect(await participants.list('s')).toEqual([person('a')]);
    });

    test('a join that fails leaves what was before', async () => {
      const { participants } = await start();
      await participants.join('s', person('a'));
      await backend.kill();
      const promoted = { ...person('a'), role: 'owner' } as const;
      await expect(participants.join('s', promoted)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await expect(participants.join('s', person('b'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await backend.launch();
      await eventually('who was here is here again', async () => {
        await participants.renew(['a', 'b']);
        expect(await participants.list('s')).toEqual([person('a')]);
      });
    });

    test('when Redis was killed and comes back empty, a renewal puts everyone back, with the next one of each instance', async () => {
      const [one, other] = [await start(), await start()];
      await one.participants.join('s', person('a'));
      await other.participants.join('s', person('b'));
      await backend.kill();
      await expect(one.participants.renew(['a'])).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await backend.launch();
      await eventually('both are here again', async () => {
        await one.participants.renew(['a']);
        await other.participants.renew(['b']);
        expect(await one.participants.list('s')).toHaveLength(2);
      });
    });

    test('who left while Redis was away stays away', async () => {
      const { participants } = await start();
      await participants.join('s', person('a'));
      await participants.join('s', person('b'));
      await backend.kill();
      await expect(participants.leave('s', 'a')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      await backend.launch();
      await eventually('the other one is here again', async () => {
        await participants.renew(['a', 'b']);
        expect(await participants.list('s')).toEqual([person('b')]);
      });
    });
  });
});
