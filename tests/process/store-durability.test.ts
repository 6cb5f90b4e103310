import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DocumentStore } from '../../src/storage/document-store';
import { eventually } from '../support/eventually';
import { ensureStrace, parseTrace, traced, type SystemCall } from '../support/server-process-trace';
import { StoreProcess } from '../support/store-process';
import { chain } from '../support/entries';
import { openedSession, sessionRecord, temporaryDirectory } from '../support/stores';

/** A traced process starts slowly. */
jest.setTimeout(120_000);

// Where strace has to be installed first, that takes a download.
beforeAll(ensureStrace, 120_000);

const isOnStore = ({ text }: SystemCall): boolean => /^\d+<[^>]*documents\.mdb>/.test(text);
const isWrite = ({ name }: SystemCall): boolean => ['write', 'writev', 'pwrite64', 'pwritev'].includes(name);
const isSync = ({ name, result }: SystemCall): boolean => ['fsync', 'fdatasync'].includes(name) && result === 0;
/** The child writes this when it has an answer, before anybody learns of it. */
const isTelling = (call: SystemCall, method: string): boolean =>
  call.name === 'write' && call.text.includes(` ${method}\\n`);

/** Runs `work` in a traced process and answers what happened to the store's file between the last two answers. */
async function traceLast(
  durability: 'fsync' | 'buffered',
  method: string,
  work: (store: DocumentStore) => Promise<unknown>,
): Promise<{ steps: string[] }> {
  const directory = await temporaryDirectory();
  const output = join(directory, 'trace');
  const child = await StoreProcess.start(traced([], output));
  const store = await child.open({ directory, durability });
  await openedSession(store, 'novel');
  await work(store);
  await child.end('SIGKILL');
  let calls: SystemCall[] = [];
  await eventually('the trace has the last answer', async () => {
    calls = parseTrace(await readFile(output, 'utf8'));
    return calls.some((call) => isTelling(call, method));
  });
  await rm(directory, { recursive: true });

  const descriptor = calls.find(({ name, text }) => name === 'openat' && text.includes('O_DSYNC'))?.result;
  const told = calls.findLast((call) => isTelling(call, method));
  const toldBefore = calls.findLast((call) => call.name === 'write' && call.text.includes('"told ') && call !== told);
  const between = calls.filter(
    (call) => isOnStore(call) && call.began > (toldBefore?.finished ?? 0) && call.finished < (told?.began ?? 0),
  );
  const steps = between.flatMap((call) => {
    if (isSync(call)) return ['synced'];
    if (!isWrite(call)) return [];
    return [call.text.startsWith(`${descriptor}<`) ? 'committed and synced' : 'written'];
  });
  // Pages are written in any number of calls.
  return { steps: steps.filter((step, index) => step !== steps[index - 1]) };
}

const save = ({ operationLog }: DocumentStore) =>
  operationLog.save([{ sessionId: 'novel', epoch: 1, entries: chain(3) }]);

const ON_DISK = ['written', 'synced', 'committed and synced'];

test('[ST3] a save is on disk before it resolves', async () => {
  expect((await traceLast('fsync', 'save', save)).steps).toEqual(ON_DISK);
});

test('[ST3] so is a save of entries that are stored already: who wrote them may not have synced them', async () => {
  const { steps } = await traceLast('fsync', 'save', async (store) => {
    await save(store);
    await save(store);
  });
  expect(steps).toEqual(ON_DISK);
});

test('[ST3] a buffered save syncs its pages, and leaves the page that points to them to the system', async () => {
  // That page is written on the same descriptor then; after it comes no sync.
  expect((await traceLast('buffered', 'save', save)).steps).toEqual(['written', 'synced', 'written']);
});

test.each<[string, string, (store: DocumentStore) => Promise<unknown>]>([
  ['[ST1] a new epoch', 'openEpoch', (store) => store.operationLog.openEpoch('novel', 1, 0)],
  ['a new session', 'create', (store) => store.sessionRecords.create(sessionRecord('poem'))],
  ['a renamed session', 'update', (store) => store.sessionRecords.update('novel', { title: 'x' })],
  ['a copied session', 'copy', (store) => store.sessionRecords.copy('novel', sessionRecord('sequel'))],
])('%s is on disk before it resolves, whatever the durability', async (_, method, work) => {
  expect((await traceLast('fsync', method, work)).steps.slice(-3)).toEqual(ON_DISK);
  expect((await traceLast('buffered', method, work)).steps.at(-1)).toBe('synced');
});
