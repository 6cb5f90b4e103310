import type { Instance, InstanceRegistry } from '../../src/instances/instance-registry';
import { eventually } from '../support/eventually';

export const LEASE_MS = 10_000;
/** Short, so that a test sees what is said anew; leases are long all the same. */
export const RENEW_MS = 20;

/** A shared backend on which any number of instances can be made. */
export interface RegistryBackend {
  /** Not started. `isAlive` says which processes of its host there are. */
  registry(describe: () => Instance, isAlive?: (pid: number) => boolean): Promise<InstanceRegistry>;
  /** From now on the instance says no more, and did not sign off. */
  kill(registry: InstanceRegistry): Promise<void>;
  /** Lets leases grow older by so much. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export const instanceNamed = (instanceId: string, fields: Partial<Instance> = {}): Instance => ({
  instanceId,
  host: `host-of-${instanceId}`,
  pid: 100,
  startedAt: 1_700_000_000_000,
  version: '1.2.3',
  backends: { websockets: 'redis', eventOrdering: 'memory' },
  connections: 3,
  users: 2,
  ...fields,
});

export function instanceRegistryContract(backendName: string, start: () => Promise<RegistryBackend>): void {
  describe(`instance registry on ${backendName}`, () => {
    let backend: RegistryBackend;
    let started: InstanceRegistry[];

    beforeEach(async () => {
      backend = await start();
      started = [];
    });

    afterEach(async () => {
      await Promise.all(started.map((registry) => registry.stop()));
      await backend.stop();
    });

    async function run(
      instance: Instance | (() => Instance),
      isAlive?: (pid: number) => boolean,
    ): Promise<InstanceRegistry> {
      const describe = typeof instance === 'function' ? instance : () => instance;
      const registry = await backend.registry(describe, isAlive);
      await registry.start();
      started.push(registry);
      return registry;
    }

    const idsOf = (instances: readonly Instance[]): string[] => instances.map(({ instanceId }) => instanceId).sort();

    test('instances see each other from the moment they have started, and not themselves', async () => {
      const one = await run(instanceNamed('one'));
      expect(await one.others()).toEqual([]);
      const two = await run(instanceNamed('two'));
      const three = await run(instanceNamed('three'));
      expect(await two.others()).toContainEqual(instanceNamed('one'));
      expect(idsOf(await one.others())).toEqual(['three', 'two']);
      expect(idsOf(await three.others())).toEqual(['one', 'two']);
    });

    test('who has not started sees the others and is not seen', async () => {
      const one = await run(instanceNamed('one'));
      const two = await backend.registry(() => instanceNamed('two'));
      expect(idsOf(await two.others())).toEqual(['one']);
      expect(await one.others()).toEqual([]);
    });

    test('of two who start together at least one sees the other when it has started', async () => {
      const both = await Promise.all(
        ['one', 'two'].map(async (id) => {
          const registry = await run(instanceNamed(id));
          return (await registry.others()).length;
        }),
      );
      expect(Math.max(...both)).toBe(1);
    });

    test('who stops is gone at once, and stopping twice is once', async () => {
      const [one, two] = [await run(instanceNamed('one')), await run(instanceNamed('two'))];
      await two.stop();
      await two.stop();
      expect(await one.others()).toEqual([]);
    });

    test('what an instance says of itself is told anew all the time', async () => {
      let connections = 1;
      const one = await run(instanceNamed('one'));
      await run(() => instanceNamed('two', { connections }));
      connections = 7;
      await eventually('it says so', async () =>
        expect(await one.others()).toEqual([instanceNamed('two', { connections: 7 })]),
      );
    });

    test('who lives stays, however long', async () => {
      let told = 0;
      const one = await run(instanceNamed('one'));
      await run(() => {
        told += 1;
        return instanceNamed('two');
      });
      for (let round = 0; round < 4; round += 1) {
        await backend.pass(LEASE_MS * 0.6);
        const before = told;
        // The second one begun since is done when the third begins.
        await eventually('two has renewed its lease', () => told >= before + 3);
        expect(idsOf(await one.others())).toEqual(['two']);
      }
    });

    test('who was killed on another host is gone when the lease ends, and not before', async () => {
      const [one, two] = [await run(instanceNamed('one'), () => false), await run(instanceNamed('two'))];
      await backend.kill(two);
      await backend.pass(LEASE_MS / 2);
      expect(idsOf(await one.others())).toEqual(['two']);
      await backend.pass(LEASE_MS / 2);
      expect(await one.others()).toEqual([]);
    });

    test('who was killed on this host is gone at once, whoever looks', async () => {
      const gone = new Set<number>();
      const isAlive = (pid: number): boolean => !gone.has(pid);
      const [one, two, three] = [
        await run(instanceNamed('one', { host: 'here', pid: 1 }), isAlive),
        await run(instanceNamed('two', { host: 'here', pid: 2 }), isAlive),
        await run(instanceNamed('three')),
      ];
      await backend.kill(two);
      expect(idsOf(await one.others())).toEqual(['three', 'two']);
      gone.add(2);
      expect(idsOf(await one.others())).toEqual(['three']);
      expect(idsOf(await three.others())).toEqual(['one']);
    });

    test('a successor with the same name takes the place of one that was killed on this host', async () => {
      const isAlive = (pid: number): boolean => pid !== 1;
      const watcher = await run(instanceNamed('watcher'));
      const first = await run(instanceNamed('same', { host: 'here', pid: 1 }), isAlive);
      await backend.kill(first);
      const second = await run(instanceNamed('same', { host: 'here', pid: 2 }), isAlive);
      expect(idsOf(await second.others())).toEqual(['watcher']);
      expect(await watcher.others()).toEqual([instanceNamed('same', { host: 'here', pid: 2 })]);
    });

    test('so does one in a container, where every process has the same pid', async () => {
      const first = await run(instanceNamed('a', { host: 'box', pid: 1, startedAt: 1_000 }));
      await backend.kill(first);
      const second = await run(instanceNamed('b', { host: 'box', pid: 1, startedAt: 2_000 }), () => true);
      expect(await second.others()).toEqual([]);
    });

    test('two in one process do not take each other for dead', async () => {
      const startedAt = Date.now();
      const one = await run(instanceNamed('one', { host: 'here', startedAt }), () => true);
      const two = await run(instanceNamed('two', { host: 'here', startedAt: startedAt + 5 }), () => true);
      expect(idsOf(await one.others())).toEqual(['two']);
      expect(idsOf(await two.others())).toEqual(['one']);
    });

    test('of two with one name the later one sees the first among the others, and takes its place when it is gone', async () => {
      const watcher = await run(instanceNamed('watcher'));
      const first = await run(instanceNamed('same', { host: 'one host' }));
      const second = await run(instanceNamed('same', { host: 'another host' }));
      expect(await second.others()).toContainEqual(instanceNamed('same', { host: 'one host' }));
      expect(await watcher.others()).toEqual([instanceNamed('same', { host: 'one host' })]);
      await first.stop();
      await eventually('the second one is known', async () =>
        expect(await watcher.others()).toEqual([instanceNamed('same', { host: 'another host' })]),
      );
      expect(idsOf(await second.others())).toEqual(['watcher']);
    });

    test('one that could not take the name leaves the first alone when it stops', async () => {
      const watcher = await run(instanceNamed('watcher'));
      await run(instanceNamed('same', { host: 'one host' }));
      const second = await run(instanceNamed('same', { host: 'another host' }));
      await second.stop();
      expect(await watcher.others()).toEqual([instanceNamed('same', { host: 'one host' })]);
    });
  });
}
