import type { Instance } from '../../src/instances/instance';
import type { InstanceRegistry } from '../../src/instances/instance-registry';
import type { ProcessIdentity } from '../../src/instances/process-life';
import { eventually } from '../support/eventually';

export const LEASE_MS = 10_000;
/** Short, so that a test sees what is said anew; leases are long all the same. */
export const RENEW_MS = 20;

export type IsGone = (process: ProcessIdentity) => boolean;

/** A shared backend on which any number of instances can be made. */
export interface RegistryBackend {
  /** Not started. `isGone` says which processes have certainly ended. */
  registry(describe: () => Instance, isGone?: IsGone, renewMs?: number): Promise<InstanceRegistry>;
  /** From now on the instance says no more, and did not sign off. */
  kill(registry: InstanceRegistry): Promise<void>;
  /** The backend loses everything it knows. */
  forget(): Promise<void>;
  /** Lets leases grow older by so much. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export const instanceNamed = (instanceId: string, fields: Partial<Instance> = {}): Instance => ({
  instanceId,
  host: `host-of-${instanceId}`,
  process: { space: `host-of-${instanceId}`, pid: 100, birth: '5' },
  startedAt: 1_700_000_000_000,
  version: '1.2.3',
  backends: { websockets: 'redis', eventOrdering: 'memory' },
  configured: { websockets: 'redis', eventOrdering: 'redis' },
  store: 'a file',
  isServing: false,
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

    async function run(instance: Instance | (() => Instance), isGone?: IsGone): Promise<InstanceRegistry> {
      const describe = typeof instance === 'function' ? instance : () => instance;
      const registry = await backend.registry(describe, isGone);
      await registry.start();
      started.push(registry);
      return registry;
    }

    const inProcess = (instanceId: string, pid: number, birth = '5'): Instance =>
      instanceNamed(instanceId, { process: { space: 'here', pid, birth } });

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
      const [one, two] = [await run(instanceNamed('one')), await run(instanceNamed('two'))];
      await backend.kill(two);
      await backend.pass(LEASE_MS / 2);
      expect(idsOf(await one.others())).toEqual(['two']);
      await backend.pass(LEASE_MS / 2);
      expect(await one.others()).toEqual([]);
    });

    test('whose process is known to be gone is gone at once, whoever looks', async () => {
      const gone = new Set<number>();
      const isGone: IsGone = ({ pid }) => gone.has(pid);
      const [one, two, three] = [
        await run(inProcess('one', 1), isGone),
        await run(inProcess('two', 2), isGone),
        await run(instanceNamed('three')),
      ];
      await backend.kill(two);
      expect(idsOf(await one.others())).toEqual(['three', 'two']);
      gone.add(2);
      expect(idsOf(await one.others())).toEqual(['three']);
      expect(idsOf(await three.others())).toEqual(['one']);
    });

    test('a successor with the same name takes the place of one whose process is gone', async () => {
      const isGone: IsGone = ({ pid }) => pid === 1;
      const watcher = await run(instanceNamed('watcher'));
      const first = await run(inProcess('same', 1));
      await backend.kill(first);
      const second = await run(inProcess('same', 2), isGone);
      expect(idsOf(await second.others())).toEqual(['watcher']);
      expect(await watcher.others()).toEqual([inProcess('same', 2)]);
    });

    test('two in one process are two', async () => {
      const one = await run(inProcess('one', 1));
      const two = await run(inProcess('two', 1));
      expect(idsOf(await one.others())).toEqual(['two']);
      expect(idsOf(await two.others())).toEqual(['one']);
    });

    test('of two with one name the later one sees the first among the others, and takes its place when it is gone', async () => {
      const watcher = await run(instanceNamed('watcher'));
      const first = await run(inProcess('same', 1));
      const second = await run(inProcess('same', 2));
      expect(await second.others()).toContainEqual(inProcess('same', 1));
      expect(await second.before()).toEqual([inProcess('same', 1)]);
      expect(await watcher.others()).toEqual([inProcess('same', 1)]);
      await first.stop();
      await eventually('the second one is known', async () =>
        expect(await watcher.others()).toEqual([inProcess('same', 2)]),
      );
      expect(idsOf(await second.others())).toEqual(['watcher']);
    });

    test('of two who take one name at the same time one gets it', async () => {
      const watcher = await run(instanceNamed('watcher'));
      const both = await Promise.all([1, 2].map((pid) => run(inProcess('same', pid))));
      const seen = await Promise.all(both.map(async (registry) => idsOf(await registry.others())));
      expect(seen.filter((ids) => ids.includes('same'))).toHaveLength(1);
      expect(idsOf(await watcher.others())).toEqual(['same']);
    });

    test('one that could not take the name leaves the first alone when it stops', async () => {
      const watcher = await run(instanceNamed('watcher'));
      await run(inProcess('same', 1));
      const second = await run(inProcess('same', 2));
      await second.stop();
      expect(await watcher.others()).toEqual([inProcess('same', 1)]);
    });

    const idsBefore = async (registry: InstanceRegistry): Promise<string[] | null> => {
      const before = await registry.before();
      return before && idsOf(before);
    };

    test('everyone knows who came before, and of those who come together nobody overlooks the others', async () => {
      const ids = ['a', 'b', 'c', 'd'];
      const all = await Promise.all(ids.map((id) => run(instanceNamed(id))));
      const counts = await Promise.all(all.map(async (registry) => (await idsBefore(registry))?.length));
      expect(new Set(counts)).toEqual(new Set([0, 1, 2, 3]));
      const last = await run(instanceNamed('last'));
      expect(await idsBefore(last)).toEqual(ids);
    });

    test('renewing a lease keeps the place, and who comes back comes last', async () => {
      let told = 0;
      const one = await run(() => {
        told += 1;
        return instanceNamed('one');
      });
      const two = await run(instanceNamed('two'));
      await eventually('one has renewed its lease', () => told >= 4);
      expect([await idsBefore(one), await idsBefore(two)]).toEqual([[], ['one']]);
      await one.stop();
      const again = await run(instanceNamed('one'));
      expect([await idsBefore(two), await idsBefore(again)]).toEqual([[], ['two']]);
    });

    test('who serves is before those who wait, whenever it came', async () => {
      let isServing = false;
      const one = await run(instanceNamed('one'));
      await run(() => instanceNamed('two', { isServing }));
      expect(await idsBefore(one)).toEqual([]);
      isServing = true;
      await eventually('it is known that it serves', async () => expect(await idsBefore(one)).toEqual(['two']));
    });

    test('whose lease was lost cannot say who is before it until the others have had time to come again', async () => {
      const one = await backend.registry(() => instanceNamed('one'), undefined, 60_000);
      await one.start();
      started.push(one);
      const quick = await run(instanceNamed('quick'));
      await backend.forget();
      expect(await one.before()).toBeNull();
      await eventually('the other one knows', async () => expect(await idsBefore(quick)).not.toBeNull());
      expect(await one.before()).toBeNull();
    });
  });
}
