import type { Instance } from '../../src/instances/instance';
import { InstanceRegistry } from '../../src/instances/instance-registry';
import { RedisInstanceLeases } from '../../src/instances/redis-instance-leases';
import { systemClock } from '../../src/lib/clock';
import type { RedisConnections } from '../../src/redis/redis-connections';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { REDIS_KINDS, type RedisBackend, redisBackendForAll } from '../support/redis-backend';
import { expectNothingUnhandled } from '../support/unhandled';
import {
  type IsGone,
  instanceNamed,
  instanceRegistryContract,
  LEASE_MS,
  type RegistryBackend,
  RENEW_MS,
} from './instance-registry.contract';

/** Registries on one Redis, under keys that no other test uses. */
class Registries implements RegistryBackend {
  readonly keys: ReturnType<RedisBackend['freshKeys']>;
  readonly lines: ReturnType<typeof logLines>['lines'];
  readonly redis: RedisConnections;
  readonly #backend: RedisBackend;
  readonly #log: ReturnType<typeof logLines>['log'];
  readonly #connections = new Map<InstanceRegistry, RedisConnections>();

  static async start(backend: RedisBackend): Promise<Registries> {
    const registries = new Registries(backend);
    registries.redis.client('command');
    await registries.redis.start();
    return registries;
  }

  private constructor(backend: RedisBackend) {
    this.#backend = backend;
    this.keys = backend.freshKeys();
    this.redis = backend.connections('test');
    ({ lines: this.lines, log: this.#log } = logLines());
  }

  async registry(
    describe: () => Instance,
    isGone: IsGone = () => false,
    renewMs = RENEW_MS,
    leaseMs = LEASE_MS,
  ): Promise<InstanceRegistry> {
    const redis = this.#backend.connections('one');
    const registry = new InstanceRegistry({
      leases: new RedisInstanceLeases({ redis, keys: this.keys }),
      describe,
      clock: systemClock,
      log: this.#log,
      leaseMs,
      renewMs,
      isGone,
    });
    this.#connections.set(registry, redis);
    await redis.start();
    return registry;
  }

  async kill(registry: InstanceRegistry): Promise<void> {
    await this.#connections.get(registry)?.stop();
  }

  async forget(): Promise<void> {
    const client = this.redis.client('command');
    await client.del(this.keys.instances(), this.keys.instanceArrivals());
    await Promise.all(['one', 'quick'].map((id) => client.del(this.keys.instance(id))));
  }

  pass(ms: number): Promise<void> {
    return this.#backend.pass(this.redis, ms);
  }

  async stop(): Promise<void> {
    await Promise.all([this.redis, ...this.#connections.values()].map((redis) => redis.stop()));
  }
}

describe.each(REDIS_KINDS)('on Redis (%s)', (kind) => {
  const backendOf = redisBackendForAll(kind);
  expectNothingUnhandled();

  instanceRegistryContract(`Redis (${kind})`, () => Registries.start(backendOf()));

  describe('live instances', () => {
    let registries: Registries;

    beforeEach(async () => {
      registries = await Registries.start(backendOf());
    });

    afterEach(() => registries.stop());

    const keysLeft = async (): Promise<number> => {
      const { keys, redis } = registries;
      const all = [keys.instances(), keys.instanceArrivals(), keys.instance('one'), keys.instance('two')];
      const found = await Promise.all(all.map((key) => redis.client('command').exists(key)));
      return found.reduce((sum, count) => sum + count, 0);
    };

    test('nothing remains of instances that stopped, nor, in time, of those that were killed', async () => {
      const stopped = await registries.registry(() => instanceNamed('one'));
      await stopped.start();
      await stopped.stop();
      expect(await keysLeft()).toBe(0);
      const killed = await registries.registry(() => instanceNamed('two'), undefined, undefined, 200);
      await killed.start();
      expect(await keysLeft()).toBe(3);
      await registries.kill(killed);
      await eventually('the keys are gone', async () => expect(await keysLeft()).toBe(0));
      await killed.stop();
    });

    test('what is no description of an instance is passed over', async () => {
      const { keys, redis } = registries;
      const one = await registries.registry(() => instanceNamed('one'));
      await one.start();
      const client = redis.client('command');
      for (const [id, text] of [
        ['two', 'no JSON'],
        ['three', '{"instanceId":"three"}'],
        ['four', JSON.stringify({ ...instanceNamed('four'), news: 'of a later version' })],
      ] as const) {
        await client.set(keys.instance(id), text, 'PX', 60_000);
        await client.zadd(keys.instances(), '9999999999999', id);
        await client.zadd(keys.instanceArrivals(), '9', id);
      }
      expect(await one.others()).toEqual([instanceNamed('four')]);
      await one.stop();
    });

    test('when Redis was killed and comes back empty, all instances are in it again by themselves', async () => {
      const one = await registries.registry(() => instanceNamed('one'));
      const two = await registries.registry(() => instanceNamed('two'));
      await Promise.all([one.start(), two.start()]);
      await backendOf().kill();
      await expect(one.others()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
      const told = () => registries.lines.filter(({ msg }) => msg.includes('cannot say that it is alive'));
      await eventually('both have noticed', () => expect(told()).toHaveLength(2));
      await backendOf().launch();
      await eventually('they see each other', async () => {
        expect(await one.others()).toEqual([instanceNamed('two')]);
        expect(await two.others()).toEqual([instanceNamed('one')]);
      });
      expect(told()).toHaveLength(2);
      expect(registries.lines.filter(({ msg }) => msg.includes('known to be alive again'))).toHaveLength(2);
      await Promise.all([one.stop(), two.stop()]);
    });

    test('one that stops while Redis is away stops in time', async () => {
      const one = await registries.registry(() => instanceNamed('one'));
      await one.start();
      await backendOf().kill();
      const stoppedAt = performance.now();
      await one.stop();
      expect(performance.now() - stoppedAt).toBeLessThan(3_000);
      await backendOf().launch();
    });
  });
});
