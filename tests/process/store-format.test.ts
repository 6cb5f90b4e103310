import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type Database } from 'lmdb';
import { networkFileSystemOf } from '../../src/storage/lmdb/lmdb-disk';
import { bringUpToFormat } from '../../src/storage/lmdb/lmdb-format';
import { openTables, type Tables } from '../../src/storage/lmdb/lmdb-tables';
import { StoreProcess } from '../support/store-process';
import { chain } from '../support/entries';
import { lmdbStore, openedSession, sessionRecord, storedEntries, temporaryDirectory } from '../support/stores';

let directory: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => rm(directory, { recursive: true }));

/** The files as another version of the server would find them. */
async function withTables<Answer>(
  use: (tables: Tables, transact: (change: () => void) => Promise<void>) => Answer,
): Promise<Awaited<Answer>> {
  const root = open({ path: join(directory, 'documents.mdb'), noSubdir: true, overlappingSync: false });
  try {
    return await use(openTables(root), async (change) => root.childTransaction(change));
  } finally {
    await root.close();
  }
}

async function makeStore(): Promise<void> {
  const store = lmdbStore(directory);
  await store.start();
  await openedSession(store, 'novel');
  await store.operationLog.save([{ sessionId: 'novel', epoch: 1, entries: chain(5) }]);
  await store.stop();
}

test('[ST11] a new store says its format, and is found again by it', async () => {
  await makeStore();
  expect(await withTables(({ meta }) => meta.get('format'))).toBe(3);
  const store = lmdbStore(directory);
  await store.start();
  expect(await storedEntries(store, 'novel')).toEqual(chain(5));
  await store.stop();
});

test('[ST11] a store of a newer format is refused with the format needed, and left as it is', async () => {
  await makeStore();
  await withTables(({ meta }, transact) => transact(() => void meta.put('format', 7)));
  const store = lmdbStore(directory);
  await expect(store.start()).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringMatching(/has format 7.*up to 3.*run a version that knows format 7/),
  });
  await expect(store.operationLog.head('novel')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(await withTables(({ meta }) => meta.get('format'))).toBe(7);
});

test('[ST11] an older store is migrated by every step that it lacks, once, in one transaction with its new format', async () => {
  await makeStore();
  const done: string[] = [];
  const steps = ['1 to 2', '2 to 3', '3 to 4'].map((name) => (): void => void done.push(name));
  await withTables(async (tables, transact) => {
    await transact(() => void tables.meta.put('format', 2));
    await transact(() => bringUpToFormat(tables, steps));
    expect(tables.meta.get('format')).toBe(4);
    await transact(() => bringUpToFormat(tables, steps));
  });
  expect(done).toEqual(['2 to 3', '3 to 4']);
});

test('[ST11] entries of format 1, each in a row of its own, are found again in the present one', async () => {
  await makeStore();
  const histories = [chain(2_500), chain(3)];
  await withTables(({ meta, entries: stored, heads }, transact) =>
    transact(() => {
      void meta.put('format', 1);
      for (const key of [...stored.getKeys()]) void stored.remove(key);
      const rows = stored as unknown as Database<unknown, [number, number]>;
      histories.forEach((entries, index) => {
        for (const entry of entries) {
          const { seq, count, epoch, prevTag, tag, clientId, clientSeq, userId, at, operations } = entry;
          void rows.put([index + 1, seq], [count, epoch, prevTag, tag, clientId, clientSeq, userId, at, operations]);
        }
        const last = entries[entries.length - 1];
        void heads.put(['novel', 'poem'][index] ?? '', [index + 1, 1, last?.seq ?? 0, last?.tag ?? '', 0, '']);
      });
    }),
  );
  const store = lmdbStore(directory);
  await store.start();
  expect(await storedEntries(store, 'novel')).toEqual(histories[0]);
  expect(await storedEntries(store, 'poem')).toEqual(histories[1]);
  await store.stop();
  expect(await withTables(({ meta, entries }) => [meta.get('format'), entries.getCount()])).toEqual([3, 41]);
});

test('[ST11] a store without roles gets them: who made a session owns it, its link lets everybody edit', async () => {
  await makeStore();
  await withTables(({ meta, records, roles }, transact) =>
    transact(() => {
      void records.put('novel', ['About novel', 'yjs', 'alice', 1, 2, null] as never);
      void records.put('old', ['Closed', 'json', 'bob', 3, 4, 5] as never);
      for (const key of [...roles.getKeys()]) void roles.remove(key);
      void meta.put('format', 2);
    }),
  );
  const store = lmdbStore(directory);
  await store.start();
  const times = { createdAt: 1, updatedAt: 2 };
  expect(await store.sessionRecords.get('novel')).toEqual(sessionRecord('novel', { link: 'editor', ...times }));
  expect(await store.sessionRecords.get('old')).toMatchObject({ createdBy: 'bob', closedAt: 5, link: 'editor' });
  expect(await store.sessionRoles.list('novel')).toEqual({
    roles: [{ userId: 'alice', role: 'owner' }],
    link: 'editor',
  });
  expect(await store.sessionRecords.list({ limit: 10, userId: 'alice' })).toHaveLength(1);
  expect(await storedEntries(store, 'novel')).toEqual(chain(5));
  await store.stop();
});

test('[ST11] a migration that fails leaves the store in its old format', async () => {
  await makeStore();
  const halfWay = ({ records }: Tables): void => {
    void records.remove('novel');
    throw new Error('out of luck');
  };
  await withTables(async (tables, transact) => {
    await expect(transact(() => bringUpToFormat(tables, [() => {}, () => {}, halfWay]))).rejects.toThrow('out of luck');
    expect(tables.meta.get('format')).toBe(3);
    expect(tables.records.get('novel')).toBeDefined();
  });
});

test('[ST11] a server that was running when a newer one migrated its store writes nothing more', async () => {
  const process = await StoreProcess.start();
  const store = await process.open({ directory });
  await openedSession(store, 'novel');
  await withTables(({ meta }, transact) => transact(() => void meta.put('format', 9)));
  const entries = chain(1);
  await expect(store.operationLog.save([{ sessionId: 'novel', epoch: 1, entries }])).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('run a version that knows format 9'),
  });
  await process.end();
  expect(await withTables(({ entries: stored }) => stored.getCount())).toBe(0);
});

test('a file that is no store is refused, and so is a directory that cannot be made', async () => {
  await writeFile(join(directory, 'documents.mdb'), 'this is no database'.repeat(1_000));
  await expect(lmdbStore(directory).start()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  const inFile = join(directory, 'documents.mdb', 'deeper');
  await expect(lmdbStore(inFile).start()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
});

test('a directory is made where there is none, also one with a dot in its name', async () => {
  const deep = join(directory, 'data.d', 'flow.v1');
  const store = lmdbStore(deep);
  await store.start();
  expect(await store.sessionRecords.create(sessionRecord('novel'))).toBe(true);
  await store.stop();
  await mkdir(deep, { recursive: true });
  await store.start();
  expect(await store.sessionRecords.get('novel')).toEqual(sessionRecord('novel'));
  await store.stop();
});

test('network file systems are told from the disks of this machine', async () => {
  expect([0x6969, 0xff534d42, 0xfe534d42].map(networkFileSystemOf)).toEqual(['NFS', 'CIFS', 'SMB 2']);
  // ext4, tmpfs, btrfs, overlay.
  expect([0xef53, 0x01021994, 0x9123683e, 0x794c7630].map(networkFileSystemOf)).toEqual([null, null, null, null]);
});

test('one process opens a directory once: its locks would not survive a second time', async () => {
  const store = lmdbStore(directory);
  await store.start();
  await expect(lmdbStore(`${directory}/../${directory.split('/').pop()}`).start()).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('share one store object'),
  });
  await store.stop();
  await store.start();
  await store.stop();
});

test('a store that is not open, or no longer, refuses; stopping twice is stopping once', async () => {
  const store = lmdbStore(directory);
  await store.stop();
  await expect(store.operationLog.head('novel')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(store.sessionRecords.create(sessionRecord('novel'))).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  });
  await store.start();
  await store.start();
  await store.stop();
  await store.stop();
  await expect(store.snapshots.latest('novel')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
});

test('what was accepted before the stop is stored', async () => {
  const store = lmdbStore(directory, { durability: 'buffered' });
  await store.start();
  const created = Array.from({ length: 600 }, (_, index) => store.sessionRecords.create(sessionRecord(`s${index}`)));
  await store.stop();
  expect(new Set(await Promise.all(created))).toEqual(new Set([true]));
  await store.start();
  expect(await store.sessionRecords.list({ limit: 1_000 })).toHaveLength(600);
  await store.stop();
});
