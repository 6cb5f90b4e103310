import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../src/lib/logger';
import type { Entry } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import type { DocumentStore } from '../../src/storage/document-store';
import { LmdbDocumentStore } from '../../src/storage/lmdb/lmdb-document-store';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import type { SessionRecord } from '../../src/storage/session-records';
import { StoreProcess } from './store-process';

/** One backend as two nodes use it; they may share a handle. Started. */
export interface SharedStore {
  readonly one: DocumentStore;
  readonly other: DocumentStore;
  close(): Promise<void>;
}

export async function sharedMemoryStore(): Promise<SharedStore> {
  const store = new MemoryDocumentStore();
  await store.start();
  return { one: store, other: store, close: () => store.stop() };
}

export async function sharedLmdbStore(): Promise<SharedStore> {
  const directory = await temporaryDirectory();
  const store = lmdbStore(directory);
  await store.start();
  return {
    one: store,
    other: store,
    async close() {
      await store.stop();
      await rm(directory, { recursive: true });
    },
  };
}

/** Inside a `describe`: the other node is a process of its own. */
export function lmdbStoreOfTwoProcesses(): () => Promise<SharedStore> {
  let process: StoreProcess;
  beforeAll(async () => {
    process = await StoreProcess.start();
  });
  afterAll(() => process.end());

  return async () => {
    const directory = await temporaryDirectory();
    const one = lmdbStore(directory);
    await one.start();
    const other = await process.open({ directory });
    return {
      one,
      other,
      async close() {
        await one.stop();
        await other.stop();
        await rm(directory, { recursive: true });
      },
    };
  };
}

export const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'flow-store-'));

export const lmdbStore = (
  directory: string,
  options: { durability?: 'fsync' | 'buffered'; initialMapBytes?: number } = {},
): LmdbDocumentStore => new LmdbDocumentStore({ directory, durability: 'fsync', log: silentLogger, ...options });

export const sessionRecord = (sessionId: string, fields: Partial<SessionRecord> = {}): SessionRecord => ({
  sessionId,
  title: `About ${sessionId}`,
  format: 'yjs',
  createdBy: 'alice',
  link: 'none',
  createdAt: 1_700_000_000_000,
  updatedAt: 1_700_000_000_000,
  ...fields,
});

/** Makes a session and opens its first epoch. */
export async function openedSession({ sessionRecords, operationLog }: DocumentStore, sessionId: string): Promise<void> {
  await sessionRecords.create(sessionRecord(sessionId));
  await operationLog.openEpoch(sessionId, 0, 0);
}

/** Everything stored of a session. */
export const storedEntries = ({ operationLog }: DocumentStore, sessionId: string): Promise<readonly Entry[]> =>
  operationLog.readAfter(sessionId, GENESIS.seq, Number.MAX_SAFE_INTEGER);

/** The item at `index`, from the end when negative; a test that has none is wrong. */
export function nth<Item>(items: readonly Item[], index: number): Item {
  const item = items.at(index);
  if (item === undefined) throw new Error(`there is no item ${index} among ${items.length}`);
  return item;
}
