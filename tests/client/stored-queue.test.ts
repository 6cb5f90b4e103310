import { FlowClient } from '../../src/client/flow-client';
import { MemoryLocks, MemoryStorage } from '../../src/client/memory-storage';
import type { QueueLocks, QueueRecord } from '../../src/client/stored-queue';
import { eventually } from '../support/eventually';
import { Follower, sorted, untilSynced, useWorld } from './support/world';

const world = useWorld();

/** Locks that lock nothing: a profile copied to another machine, or a browser with a fault. */
const noLocks: QueueLocks = { tryAcquire: async () => () => {} };

async function slotsOf(storage: MemoryStorage, sessionId: string): Promise<Array<QueueRecord | null>> {
  return Promise.all(storage.keys.filter((key) => key.startsWith(sessionId)).map((key) => storage.load(key)));
}

const sizeOf = (record: QueueRecord | null | undefined): number =>
  record ? record.pending.length + record.batches.flatMap(({ operations }) => operations).length : 0;

describe('a stored queue', () => {
  test('[CL4] what was held when the page went is shown and sent when it comes again, under the same client id', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const before = world().client(options);
    const session = before.session(sessionId);
    await session.join();
    session.submit(['saved']);
    await untilSynced(session);
    const { clientId } = session;
    world().disconnect();
    session.submit(['a', 'b']);
    session.submit(['c']);
    await eventually('stored', async () => sizeOf((await slotsOf(options.storage, sessionId))[0]) === 3);
    before.close();

    world().reconnect();
    const again = world().client(options).session(sessionId);
    const restored: unknown[] = [];
    again.on('restored', ({ operations }) => restored.push(...operations));
    await again.join();
    await untilSynced(again);
    expect(restored).toEqual(['a', 'b', 'c']);
    expect(again.clientId).toBe(clientId);
    expect(await world().history(sessionId)).toEqual(['saved', 'a', 'b', 'c']);
  });

  test('[CL4] what had been sent when the page went, and was ordered, is recognised and not sent twice', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const before = world().client(options);
    const session = before.session(sessionId);
    await session.join();
    world().holdSaves();
    await session.submit(['ordered, not saved']).whenOrdered();
    before.close();
    const again = world().client(options).session(sessionId);
    const follower = new Follower(again);
    await again.join();
    again.submit(['next']);
    world().letSave();
    await untilSynced(again);
    expect(await world().history(sessionId)).toEqual(['ordered, not saved', 'next']);
    expect(follower.operations).toEqual(['ordered, not saved', 'next']);
  });

  test('[CL4] a duplicated tab finds the queue locked, becomes a new client, and has a queue of its own', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const one = await world().joined(sessionId, options);
    const other = await world().joined(sessionId, options);
    expect(other.clientId).not.toBe(one.clientId);
    world().disconnect();
    one.submit(['of the first tab']);
    other.submit(['of the second tab']);
    await eventually('both stored', async () => {
      const records = await slotsOf(options.storage, sessionId);
      return records.filter((record) => sizeOf(record) === 1).length === 2;
    });
    world().reconnect();
    await Promise.all([untilSynced(one), untilSynced(other)]);
    expect(sorted(await world().history(sessionId))).toEqual(['of the first tab', 'of the second tab']);
  });

  test('[CL4] two tabs that restore the same stored queue lose nothing and double nothing', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const before = world().client(options);
    const session = before.session(sessionId);
    await session.join();
    world().disconnect();
    session.submit(['x', 'y']);
    await eventually('stored', async () => sizeOf((await slotsOf(options.storage, sessionId))[0]) === 2);
    before.close();

    const tabs = [world().client(options).session(sessionId), world().client(options).session(sessionId)];
    tabs.forEach((tab, index) => {
      tab.join().catch(() => {});
      tab.submit([`tab ${index}`]);
    });
    world().reconnect();
    await Promise.all(tabs.map(untilSynced));
    expect(sorted(await world().history(sessionId))).toEqual(['tab 0', 'tab 1', 'x', 'y']);
    expect(tabs[0]?.clientId).not.toBe(tabs[1]?.clientId);
  });

  test('[CL2] [CL4] even where locks fail, two tabs with one identity lose nothing: the one that is replaced becomes a new client', async () => {
    const { sessionId } = await world().createSession('json');
    const storage = new MemoryStorage();
    const before = world().client({ storage, locks: noLocks });
    const session = before.session(sessionId);
    await session.join();
    world().disconnect();
    session.submit(['x', 'y']);
    await eventually('stored', async () => sizeOf((await slotsOf(storage, sessionId))[0]) === 2);
    before.close();

    // Each has a storage with the same content, as two machines with one copied profile have.
    const copies = [new MemoryStorage(), new MemoryStorage()];
    for (const key of storage.keys) {
      const record = await storage.load(key);
      for (const copy of copies) if (record) await copy.save(key, record);
    }
    world().reconnect();
    const tabs = copies.map((copy) => world().client({ storage: copy, locks: noLocks }).session(sessionId));
    const [first, second] = tabs;
    if (!first || !second) throw new Error('two tabs are needed');
    await first.join();
    first.submit(['of the first']);
    const join = second.join();
    second.submit(['of the second']);
    first.submit(['of the first, later']);
    await join;
    first.submit(['of the first, at last']);
    await Promise.all(tabs.map(untilSynced));
    expect(first.clientId).not.toBe(second.clientId);
    expect(sorted(await world().history(sessionId))).toEqual([
      'of the first',
      'of the first, at last',
      'of the first, later',
      'of the second',
      'x',
      'y',
    ]);
  });

  test('[CL2] nothing is sent before it is stored', async () => {
    const { sessionId } = await world().createSession('json');
    const storage = new MemoryStorage();
    let letSave: (() => void) | undefined;
    const slow = {
      load: (key: string) => storage.load(key),
      clear: (key: string) => storage.clear(key),
      save: async (key: string, record: QueueRecord) => {
        await new Promise<void>((resolve) => {
          letSave = resolve;
        });
        await storage.save(key, record);
      },
    };
    const session = world().client({ storage: slow, locks: new MemoryLocks() }).session(sessionId);
    await session.join();
    const receipt = session.submit(['x']);
    const marker = await world().joined(sessionId);
    await marker.submit(['marker']).whenSaved();
    expect(await world().history(sessionId)).toEqual(['marker']);
    let isOrdered = false;
    void receipt.whenOrdered().then(() => {
      isOrdered = true;
    });
    await eventually('ordered once stored', () => {
      letSave?.();
      return isOrdered;
    });
  });

  test('a storage that fails is told, and the session goes on without it', async () => {
    const { sessionId } = await world().createSession('json');
    const storage = {
      load: async () => null,
      save: async () => {
        throw new Error('the disk is full');
      },
      clear: async () => {},
    };
    const session = world().client({ storage, locks: new MemoryLocks() }).session(sessionId);
    const causes: unknown[] = [];
    session.on('storage-failed', ({ cause }) => causes.push(cause));
    await session.join();
    session.submit(['x']);
    await untilSynced(session);
    expect(causes).toEqual([new Error('the disk is full')]);
  });

  test('a storage without locks is refused: two tabs could speak for one client', () => {
    expect(() => new FlowClient({ url: 'http://localhost', storage: new MemoryStorage() })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  test('a session that is closed with everything saved leaves nothing in the storage', async () => {
    const { sessionId } = await world().createSession('json');
    const options = { storage: new MemoryStorage(), locks: new MemoryLocks() };
    const session = await world().joined(sessionId, options);
    session.submit(['x']);
    await untilSynced(session);
    session.close();
    await eventually('cleared', () => expect(options.storage.keys).toEqual([]));
  });
});
