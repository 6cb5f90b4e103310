import { FlowClient } from '../../src/client/flow-client';
import { toHeldOperation } from '../../src/client/held-operation';
import { HeldQueue } from '../../src/client/held-queue';
import { MemoryLocks, MemoryStorage } from '../../src/client/memory-storage';
import { StoredQueue, type QueueLocks, type QueueRecord } from '../../src/client/stored-queue';
import { FlowError } from '../../src/protocol/errors';
import { GENESIS } from '../../src/protocol/positions';
import { eventually } from '../support/eventually';
import { settle } from '../support/manual-clock';
import { Follower, sorted, untilSynced, useWorld } from './support/world';

const world = useWorld();

/** Locks that lock nothing: a profile copied to another machine, or a browser with a fault. */
const noLocks: QueueLocks = { tryAcquire: async () => () => {} };

/** Takes no record of more operations than it is told. */
class LimitedStorage extends MemoryStorage {
  maxOperations = Number.POSITIVE_INFINITY;
  refusals = 0;

  override async save(key: string, record: QueueRecord): Promise<void> {
    if (sizeOf(record) > this.maxOperations) {
      this.refusals += 1;
      throw new Error('The quota is exceeded.');
    }
    await super.save(key, record);
  }
}

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

  test('[CL4] a storage that takes no more keeps what it has, says so once, and has everything as soon as it can', async () => {
    const { sessionId } = await world().createSession('json');
    const storage = new LimitedStorage();
    const locks = new MemoryLocks();
    world().disconnect();
    const before = world().client({ storage, locks: noLocks }).session(sessionId);
    const told: string[] = [];
    before.on('storage-failed', ({ cause }) => told.push(String(cause)));
    before.on('storage-recovered', () => told.push('recovered'));
    before.join().catch(() => {});
    for (let index = 0; index < 10; index += 1) before.submit([index]);
    await eventually('stored', async () => expect(sizeOf((await slotsOf(storage, sessionId))[0])).toBe(10));
    storage.maxOperations = 10;
    before.submit([10]);
    await eventually('told', () => told.length > 0);
    before.submit([11]);
    await eventually('tried again', () => storage.refusals > 1);
    expect(sizeOf((await slotsOf(storage, sessionId))[0])).toBe(10);

    // A second tab, as after a crash of the first one.
    const again = world().client({ storage, locks }).session(sessionId);
    const restored: unknown[] = [];
    again.on('restored', ({ operations }) => restored.push(...operations));
    again.join().catch(() => {});
    await eventually('restored', () => expect(restored).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    again.close();

    storage.maxOperations = Number.POSITIVE_INFINITY;
    before.submit([12]);
    await eventually('stored', async () => expect(sizeOf((await slotsOf(storage, sessionId))[0])).toBe(13));
    expect(told).toEqual(['Error: The quota is exceeded.', 'recovered']);
  });

  test.each([0, 6])(
    '[CL2] what is sent while the storage takes %i operations at most is not restored as if it had not been',
    async (maxOperations) => {
      const { sessionId } = await world().createSession('json');
      const storage = new LimitedStorage();
      const session = world().client({ storage, locks: noLocks }).session(sessionId);
      await session.join();
      session.submit(['first']);
      await untilSynced(session);
      world().disconnect();
      const operations = Array.from({ length: 10 }, (_, index) => index);
      session.submit(operations);
      await eventually('stored', async () => expect(sizeOf((await slotsOf(storage, sessionId))[0])).toBe(10));
      storage.maxOperations = maxOperations;
      world().holdSaves();
      world().reconnect();
      await eventually('ordered', () => session.counts.ordered === 10);
      expect(storage.refusals).toBeGreaterThan(0);

      const again = world().client({ storage, locks: noLocks }).session(sessionId);
      await again.join();
      again.submit(['last']);
      world().letSave();
      await untilSynced(again);
      expect(await world().history(sessionId)).toEqual(['first', ...operations, 'last']);
    },
  );

  test('[CL4] while a long queue is sent, as much of the rest stays stored as was', async () => {
    const storage = new LimitedStorage();
    const [queue, stored] = [new HeldQueue(), new StoredQueue('s', storage, noLocks)];
    let isFailed = false;
    const onFailed = (): void => {
      isFailed = true;
    };
    await stored.open({ onStored: () => {}, onFailed, onRecovered: () => {} });
    const keep = (isAwaited: boolean): void => stored.keep({ client: null, after: GENESIS, queue }, isAwaited);
    queue.noteJoined('client-1', 0);
    queue.hold(Array.from({ length: 600 }, (_, index) => toHeldOperation(index + 1_000)));
    keep(false);
    await eventually('stored', async () => expect(sizeOf(await storage.load('s/0'))).toBe(600));
    storage.maxOperations = 600;
    queue.hold([toHeldOperation(1_600)]);
    const batch = queue.nextToSend();
    keep(true);
    await eventually('stored', () => stored.version >= (batch?.version ?? Infinity));
    const record = await storage.load('s/0');
    expect(isFailed).toBe(true);
    expect(record?.batches.map(({ operations }) => operations.length)).toEqual([256]);
    expect(record?.pending.length).toBe(344);

    // What its owner has let go of must not come back, whatever else is lost.
    queue.discard(null, new FlowError('FORBIDDEN'));
    storage.maxOperations = -1;
    keep(false);
    await eventually('cleared', () => expect(storage.keys).toEqual([]));
  });

  test('[CL4] a page that is left while the storage takes no more leaves there what it had', async () => {
    const storage = new LimitedStorage();
    const [queue, stored] = [new HeldQueue(), new StoredQueue('s', storage, noLocks)];
    await stored.open({ onStored: () => {}, onFailed: () => {}, onRecovered: () => {} });
    queue.noteJoined('client-1', 0);
    queue.hold([toHeldOperation('a')]);
    stored.keep({ client: null, after: GENESIS, queue }, false);
    await eventually('stored', async () => expect(sizeOf(await storage.load('s/0'))).toBe(1));
    storage.maxOperations = 0;
    queue.nextToSend();
    stored.keep({ client: null, after: GENESIS, queue }, true);
    stored.close(false);
    await eventually('refused', () => storage.refusals === 1);
    await settle();
    expect((await storage.load('s/0'))?.pending).toEqual(['a']);
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
