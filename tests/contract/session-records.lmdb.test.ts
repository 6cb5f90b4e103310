import { rm } from 'node:fs/promises';
import { silentLogger } from '../../src/lib/logger';
import { sweepCopies } from '../../src/storage/lmdb/lmdb-copies';
import { LmdbEngine } from '../../src/storage/lmdb/lmdb-engine';
import { LmdbSessionRecords } from '../../src/storage/lmdb/lmdb-session-records';
import { chain } from '../support/entries';
import {
  lmdbStore,
  lmdbStoreOfTwoProcesses,
  openedSession,
  sessionRecord,
  storedEntries,
  temporaryDirectory,
} from '../support/stores';
import { sessionRecordsContract } from './session-records.contract';

describe('SessionRecords on lmdb', () => {
  sessionRecordsContract(lmdbStoreOfTwoProcesses());
});

describe('a copy that breaks off', () => {
  /** Several pieces. */
  const ENTRIES = chain(2_500);
  let directory: string;

  beforeEach(async () => {
    directory = await temporaryDirectory();
    await withStore(async (store) => {
      await openedSession(store, 'source');
      await store.operationLog.save([{ sessionId: 'source', epoch: 1, entries: ENTRIES }]);
    });
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function withStore<Answer>(use: (store: ReturnType<typeof lmdbStore>) => Promise<Answer>): Promise<Answer> {
    const store = lmdbStore(directory);
    await store.start();
    try {
      return await use(store);
    } finally {
      await store.stop();
    }
  }

  /** The file as it is, without what a store does when it starts. */
  async function withEngine<Answer>(use: (engine: LmdbEngine) => Promise<Answer>): Promise<Answer> {
    const engine = new LmdbEngine({ directory, durability: 'fsync', log: silentLogger });
    await engine.start();
    try {
      return await use(engine);
    } finally {
      await engine.stop();
    }
  }

  const rows = (): Promise<number> =>
    withEngine((engine) => engine.read(({ entries, meta }) => entries.getCount() + meta.getCount()));

  /** Copies; `interrupt` comes before so many writes are done. */
  async function copyInterrupted(
    engine: LmdbEngine,
    atWrite: number,
    interrupt: () => Promise<void>,
  ): Promise<boolean> {
    const write = engine.write.bind(engine);
    let writes = 0;
    engine.write = async (change, options) => {
      writes += 1;
      if (writes === atWrite) await interrupt();
      return write(change, options);
    };
    return new LmdbSessionRecords(engine).copy('source', sessionRecord('copy'));
  }

  test('leaves rows when the process ends, and the next start removes them', async () => {
    const before = await rows();
    // As a kill: from here on nothing is written any more.
    await withEngine((engine) => expect(copyInterrupted(engine, 4, () => engine.stop())).rejects.toThrow('not open'));
    expect(await rows()).toBeGreaterThan(before + 10);

    expect(await withStore((store) => storedEntries(store, 'source'))).toEqual(ENTRIES);
    expect(await rows()).toBe(before);
    expect(await withStore((store) => store.sessionRecords.get('copy'))).toBeNull();
  });

  test('because another one was faster leaves nothing', async () => {
    const before = await rows();
    await withStore((store) => store.sessionRecords.copy('source', sessionRecord('alone')));
    const ofOneCopy = (await rows()) - before;
    const made = await withStore(({ sessionRecords }) =>
      Promise.all([1, 2].map(() => sessionRecords.copy('source', sessionRecord('copy')))),
    );
    expect(made.filter(Boolean)).toEqual([true]);
    expect(await rows()).toBe(before + 2 * ofOneCopy);
  });

  test('because a process that starts gave it up is refused as a whole', async () => {
    await withEngine(async (engine) => {
      const other = async (): Promise<void> => sweepCopies(engine);
      await expect(copyInterrupted(engine, 4, other)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });
    expect(await withStore((store) => store.sessionRecords.get('copy'))).toBeNull();
    expect(await withStore((store) => store.sessionRecords.copy('source', sessionRecord('copy')))).toBe(true);
    const copied = await withStore((store) => storedEntries(store, 'copy'));
    expect(copied.map(({ tag }) => tag)).toEqual(ENTRIES.map(({ tag }) => tag));
  });
});
