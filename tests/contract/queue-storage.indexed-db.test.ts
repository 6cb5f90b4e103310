import { IDBFactory } from 'fake-indexeddb';
import { once } from 'node:events';
import { IndexedDbStorage } from '../../src/client/indexed-db-storage';
import { MemoryLocks } from '../../src/client/memory-storage';
import { eventually } from '../support/eventually';
import { untilSynced, useWorld } from '../client/support/world';
import { queueStorageContract, record } from './queue-storage.contract';

let factory: IDBFactory;
const opened: IndexedDbStorage[] = [];
beforeEach(() => {
  factory = new IDBFactory();
});
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
});

function open(options: { userId?: string; maxBytes?: number } = {}): IndexedDbStorage {
  const storage = new IndexedDbStorage({ userId: 'ann', factory, ...options });
  opened.push(storage);
  return storage;
}

describe('Stored queues on IndexedDB', () => {
  queueStorageContract(open, async () => open());

  test('every user has a database of their own', async () => {
    await open({ userId: 'ann' }).save('novel/0', record('a'));
    expect(await open({ userId: 'bob' }).load('novel/0')).toBeNull();
    expect((await factory.databases()).map(({ name }) => name)).toEqual(['flow-queues/ann', 'flow-queues/bob']);
  });

  test('more bytes than it may keep are refused, and what it has stays', async () => {
    const bytes = Buffer.byteLength(JSON.stringify(record('x'.repeat(1_000))));
    const storage = open({ maxBytes: 2 * bytes });
    await storage.save('novel/0', record('x'.repeat(1_000)));
    await storage.save('other/0', record('x'.repeat(1_000)));
    await expect(storage.save('novel/0', record('x'.repeat(1_001)))).rejects.toThrow(/1 more were to be stored/);
    await expect(storage.save('third/0', record())).rejects.toThrow(/may have/);
    expect(await storage.load('novel/0')).toEqual(record('x'.repeat(1_000)));
    // A record that replaces another one needs only what it has more.
    await storage.save('novel/0', record('x'.repeat(999)));
    await storage.clear('other/0');
    await storage.save('novel/0', record('x'.repeat(1_001)));
  });

  test('a record of a newer version is neither read nor taken away', async () => {
    const storage = open();
    await storage.save('novel/0', { ...record('a'), version: 2 as 1 });
    await expect(storage.load('novel/0')).rejects.toThrow(/newer version/);
    expect(await storage.keys()).toEqual(['novel/0']);
  });

  test('it gives way to a newer version of the database, and then says why it cannot be used', async () => {
    const storage = open();
    await storage.save('novel/0', record('a'));
    const newer = factory.open('flow-queues/ann', 2);
    const emitter = newer as unknown as EventTarget;
    await once(emitter, 'success');
    await expect(storage.load('novel/0')).rejects.toThrow(/VersionError/);
    newer.result.close();
  });

  test('where there is no IndexedDB it says so', async () => {
    const storage = new IndexedDbStorage({ userId: 'ann' });
    await expect(storage.load('novel/0')).rejects.toThrow('There is no IndexedDB here.');
  });
});

describe('a session with a queue in IndexedDB', () => {
  const world = useWorld();

  test('[CL4] shows and sends what was written offline before the page was left', async () => {
    const { sessionId } = await world().createSession('json');
    const locks = new MemoryLocks();
    const client = world().client({ storage: open(), locks });
    const before = client.session(sessionId);
    await before.join();
    world().disconnect();
    before.submit(['a', { b: ['ä'] }]);
    const stored = open();
    await eventually('stored', async () => {
      const found = await stored.load(`${sessionId}/0`);
      expect([
        ...(found?.batches ?? []).flatMap(({ operations }) => operations),
        ...(found?.pending ?? []),
      ]).toHaveLength(2);
    });
    client.close();

    world().reconnect();
    const storage = open();
    const again = world().client({ storage, locks }).session(sessionId);
    const restored: unknown[] = [];
    again.on('restored', ({ operations }) => restored.push(...operations));
    await again.join();
    await untilSynced(again);
    expect(restored).toEqual(['a', { b: ['ä'] }]);
    expect(await world().history(sessionId)).toEqual(restored);
    again.close();
    await eventually('cleared', async () => expect(await storage.keys()).toEqual([]));
  });
});
