import { rm } from 'node:fs/promises';
import { markBefore, markOf, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import type { DocumentStore } from '../../src/storage/document-store';
import { seededRandom } from '../../src/tools/seeded-random';
import { StoreProcess } from '../support/store-process';
import { chain } from '../support/entries';
import { lmdbStore, nth, openedSession, sessionRecord, storedEntries, temporaryDirectory } from '../support/stores';

/** Each process takes a quarter of a second to start, and several where others use the machine too. */
jest.setTimeout(120_000);

let directory: string;
const processes: StoreProcess[] = [];

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.end('SIGKILL')));
  await rm(directory, { recursive: true });
});

async function startProcess(prefix: readonly string[] = []): Promise<StoreProcess> {
  const process = await StoreProcess.start(prefix);
  processes.push(process);
  return process;
}

/** What a directory holds, read by this process while no other has it open. */
async function readBack<Answer>(ask: (store: DocumentStore) => Promise<Answer>): Promise<Answer> {
  const store = lmdbStore(directory);
  await store.start();
  try {
    return await ask(store);
  } finally {
    await store.stop();
  }
}

function expectOneChain(history: readonly Entry[]): void {
  let at: Mark = GENESIS;
  for (const entry of history) {
    expect(markBefore(entry)).toEqual(at);
    at = markOf(entry);
  }
}

test('[ST2] three processes that write the same sessions at the same time leave one chain in each', async () => {
  const stores = await Promise.all(Array.from({ length: 3 }, async () => (await startProcess()).open({ directory })));
  const sessionIds = ['novel', 'poem', 'play', 'letter'];
  for (const sessionId of sessionIds) await openedSession(nth(stores, 0), sessionId);
  let saved = 0;
  let refused = 0;
  const write = async (store: DocumentStore, writer: number): Promise<void> => {
    const random = seededRandom(writer);
    for (let round = 0; round < 60; round += 1) {
      const saves = await Promise.all(
        sessionIds.map(async (sessionId) => {
          // Sometimes from what it has just read, sometimes from what it read long ago.
          const head = await store.operationLog.head(sessionId);
          const at = head ?? { epoch: 0, ...GENESIS };
          if (random() < 0.1) await store.operationLog.openEpoch(sessionId, at.epoch, 0);
          return { sessionId, epoch: at.epoch, entries: chain(3, { after: at, clientId: `writer-${writer}` }) };
        }),
      );
      const results = await store.operationLog.save(saves);
      for (const { status } of results) {
        if (status === 'saved') saved += 1;
        else refused += 1;
      }
    }
  };
  await Promise.all(stores.map(write));
  await Promise.all(stores.map((store) => store.stop()));

  const histories = await readBack((store) => Promise.all(sessionIds.map((id) => storedEntries(store, id))));
  for (const history of histories) expectOneChain(history);
  expect(histories.flat()).toHaveLength(3 * saved);
  expect(refused).toBeGreaterThan(50);
});

test('[ST1] of many processes that open an epoch at the same time one gets it', async () => {
  const stores = await Promise.all(Array.from({ length: 3 }, async () => (await startProcess()).open({ directory })));
  await nth(stores, 0).sessionRecords.create(sessionRecord('novel'));
  for (let epoch = 0; epoch < 20; epoch += 1) {
    const answers = await Promise.all(stores.map((store) => store.operationLog.openEpoch('novel', epoch, 0)));
    expect(answers.filter((answer) => answer !== null)).toEqual([{ epoch: epoch + 1, ...GENESIS }]);
  }
});

test('several processes that start on an empty directory at the same time agree on one store', async () => {
  const started = await Promise.all(Array.from({ length: 4 }, () => startProcess()));
  const stores = await Promise.all(started.map((process) => process.open({ directory })));
  await Promise.all(stores.map((store, index) => store.sessionRecords.create(sessionRecord(`by-${index}`))));
  expect((await nth(stores, 2).sessionRecords.list({ limit: 10 })).map(({ sessionId }) => sessionId)).toEqual([
    'by-0',
    'by-1',
    'by-2',
    'by-3',
  ]);
});

test('the store outgrows the address space it began with, also where another process has it open', async () => {
  const initialMapBytes = 1_048_576;
  const writer = await (await startProcess()).open({ directory, initialMapBytes });
  const reader = await (await startProcess()).open({ directory, initialMapBytes });
  await openedSession(writer, 'novel');
  const entries = chain(300, { operations: JSON.stringify(['x'.repeat(100_000)]) });
  for (let at = 0; at < entries.length; at += 50) {
    await writer.operationLog.save([{ sessionId: 'novel', epoch: 1, entries: entries.slice(at, at + 50) }]);
    expect(await reader.operationLog.readAfter('novel', at + 49, 1)).toEqual([nth(entries, at + 49)]);
  }
  await openedSession(reader, 'poem');
  const poem = chain(10);
  await reader.operationLog.save([{ sessionId: 'poem', epoch: 1, entries: poem }]);
  expect(await storedEntries(writer, 'poem')).toEqual(poem);
  expect(await writer.operationLog.head('novel')).toEqual({ epoch: 1, ...markOf(nth(entries, -1)) });
});

/** Entries of a save; a history whose length is no multiple of it holds half a save. */
const SAVE_LENGTH = 7;

test('[ST3] what was saved before a kill -9 is there after it, whole saves only, and nobody else is held up', async () => {
  const sessionIds = ['novel', 'poem', 'play'];
  const survivor = await (await startProcess()).open({ directory });
  for (const sessionId of [...sessionIds, 'other']) await openedSession(survivor, sessionId);
  const random = seededRandom(9);

  for (let round = 0; round < 10; round += 1) {
    const victim = await startProcess();
    const store = await victim.open({ directory });
    const known = new Map<string, Mark>();
    for (const id of sessionIds) known.set(id, (await store.operationLog.head(id)) ?? GENESIS);
    const saveOnce = async (): Promise<void> => {
      const saves = [...known].map(([sessionId, at]) => ({
        sessionId,
        epoch: 1,
        entries: chain(SAVE_LENGTH, { after: at, clientId: `round-${round}` }),
      }));
      const results = await store.operationLog.save(saves);
      results.forEach((result, index) => {
        if (result.status === 'saved') known.set(nth(saves, index).sessionId, result.head);
      });
    };
    const writing = (async () => {
      for (;;) await saveOnce();
    })().catch((fault: unknown) => fault);
    // Killed at some moment within a save, after some whole ones.
    const enough = (known.get('novel')?.seq ?? 0) + (3 + Math.floor(random() * 20)) * SAVE_LENGTH;
    while ((known.get('novel')?.seq ?? 0) < enough) await saveOther(survivor);
    await victim.end('SIGKILL');
    expect(await writing).toMatchObject({ message: 'the store process has ended' });

    await saveOther(survivor);
    for (const [sessionId, mark] of known) {
      const history = await storedEntries(survivor, sessionId);
      expectOneChain(history);
      expect(history.length % SAVE_LENGTH).toBe(0);
      expect(await survivor.operationLog.tagAt(sessionId, mark.seq)).toBe(mark.tag);
    }
  }
});

async function saveOther({ operationLog }: DocumentStore): Promise<void> {
  const head = await operationLog.head('other');
  const [result] = await operationLog.save([
    { sessionId: 'other', epoch: 1, entries: chain(1, { after: head ?? GENESIS }) },
  ]);
  expect(result?.status).toBe('saved');
}
