import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { markBefore, markOf } from '../../src/protocol/entry';
import { FlowError } from '../../src/protocol/errors';
import { GENESIS, type Mark, type Position } from '../../src/protocol/positions';
import type { DocumentStore } from '../../src/storage/document-store';
import { ensureStrace } from '../support/server-process-trace';
import { StoreProcess } from '../support/store-process';
import { chain } from '../support/entries';
import { openedSession, storedEntries, temporaryDirectory } from '../support/stores';

const run = promisify(execFile);
const SAVE_LENGTH = 5;

/** Processes start slowly where others use the machine too. */
jest.setTimeout(120_000);

let directory: string;
let child: StoreProcess;

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  await child.end('SIGKILL');
  await rm(directory, { recursive: true });
});

/** One save of some 50 kB at the stored head; answers the new head. */
async function saveSome({ operationLog }: DocumentStore, sessionId: string): Promise<Mark> {
  const head: Position | null = await operationLog.head(sessionId);
  const entries = chain(SAVE_LENGTH, { after: head ?? GENESIS, operations: JSON.stringify(['x'.repeat(10_000)]) });
  const [result] = await operationLog.save([{ sessionId, epoch: 1, entries }]);
  if (result?.status !== 'saved') throw new Error(`the save was ${result?.status}`);
  return result.head;
}

/** The code with which a save fails; a test in which it does not fail is wrong. */
async function faultOf(saving: Promise<Mark>): Promise<string> {
  const fault: unknown = await saving.catch((thrown: unknown) => thrown);
  if (fault instanceof FlowError) return fault.code;
  throw new Error('the save did not fail as a store fails', { cause: fault });
}

/** Saves until it fails, and answers what was acknowledged last. */
async function saveUntilItFails(store: DocumentStore): Promise<Mark> {
  for (let acknowledged: Mark = GENESIS; ; ) {
    const saved = await saveSome(store, 'novel').catch(() => null);
    if (!saved) return acknowledged;
    acknowledged = saved;
  }
}

async function expectWhole(store: DocumentStore, acknowledged: Mark): Promise<void> {
  const history = await storedEntries(store, 'novel');
  let at: Mark = GENESIS;
  for (const entry of history) {
    expect(markBefore(entry)).toEqual(at);
    at = markOf(entry);
  }
  expect(at).toEqual(acknowledged);
  expect(history.length % SAVE_LENGTH).toBe(0);
}

/**
 * What every way of running out of space must look like; `makeRoom` ends it without a restart. Answers how many entries found
 * room before it did.
 */
async function runOutOfSpace(store: DocumentStore, makeRoom: () => Promise<unknown>): Promise<number> {
  await openedSession(store, 'novel');
  const acknowledged = await saveUntilItFails(store);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    expect(await faultOf(saveSome(store, 'novel'))).toBe('STORE_UNAVAILABLE');
    // Readers go on, and see nothing of what failed.
    await expectWhole(store, acknowledged);
  }

  await makeRoom();
  let saved = acknowledged;
  for (let save = 0; save < 20; save += 1) saved = await saveSome(store, 'novel');
  await expectWhole(store, saved);
  expect(saved.seq).toBe(acknowledged.seq + 20 * SAVE_LENGTH);

  expect(child.unhandled).toEqual([]);
  await store.stop();
  await child.end('SIGKILL');
  child = await StoreProcess.start();
  await expectWhole(await child.open({ directory }), saved);
  return acknowledged.seq;
}

test('a file at its size limit refuses saves, and takes them again in the same process when the limit is lifted', async () => {
  // In units of 1,024 bytes: 2 MB.
  child = await StoreProcess.start(['bash', '-c', 'ulimit -S -f 2048 && exec "$0" "$@"']);
  const store = await child.open({ directory });
  const makeRoom = () => run('prlimit', ['--pid', String(child.pid), '--fsize=unlimited']);
  expect(await runOutOfSpace(store, makeRoom)).toBeGreaterThan(0);
});

test('of calls that fail at the same time each is told, and none of them is half done', async () => {
  child = await StoreProcess.start(['bash', '-c', 'ulimit -S -f 2048 && exec "$0" "$@"']);
  const store = await child.open({ directory });
  await openedSession(store, 'novel');
  await openedSession(store, 'poem');
  const acknowledged = await saveUntilItFails(store);
  const poem = (await store.operationLog.head('poem')) ?? GENESIS;
  const large = { operations: JSON.stringify(['x'.repeat(2_000_000)]) };
  const outcomes = await Promise.allSettled([
    store.operationLog.save([
      { sessionId: 'poem', epoch: 1, entries: chain(1, { after: poem }) },
      { sessionId: 'novel', epoch: 1, entries: chain(1, { after: acknowledged, ...large }) },
    ]),
    store.operationLog.openEpoch('poem', 1, 0),
    store.operationLog.head('novel'),
  ]);
  expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: { code: 'STORE_UNAVAILABLE' } });
  expect(outcomes[2]).toMatchObject({ status: 'fulfilled', value: acknowledged });
  expect(await storedEntries(store, 'poem')).toEqual([]);
  // It was in the same transaction or in one of its own: it may have been done, but then it was said.
  const epoch = (await store.operationLog.head('poem'))?.epoch;
  expect(epoch).toBe(outcomes[1].status === 'fulfilled' ? 2 : 1);
  await expectWhole(store, acknowledged);
});

describe('when the disk answers with errors', () => {
  beforeAll(ensureStrace, 120_000);

  /** From now on a system call fails in the child: every one of that name, or only the nth of each thread. */
  async function breakSystemCall(name: string, nth?: number): Promise<{ mend: () => Promise<string> }> {
    const inject = `inject=${name}:error=EIO${nth ? `:when=${nth}` : ''}`;
    const output = join(directory, 'trace');
    const options = ['-f', '-e', `trace=${name}`, '-e', inject, '-o', output, '-p', String(child.pid)];
    const strace = spawn('strace', options, { stdio: ['ignore', 'ignore', 'pipe'] });
    // It says when it is attached.
    await once(strace.stderr, 'data');
    return {
      /** Answers what failed. */
      async mend() {
        const ended = once(strace, 'exit');
        strace.kill('SIGINT');
        await ended;
        return readFile(output, 'utf8');
      },
    };
  }

  test('[ST3] a save whose sync fails is not saved; the next one is, when the disk works again', async () => {
    child = await StoreProcess.start();
    const store = await child.open({ directory });
    await openedSession(store, 'novel');
    const acknowledged = await saveSome(store, 'novel');
    const { mend } = await breakSystemCall('fdatasync');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await faultOf(saveSome(store, 'novel'))).toBe('STORE_UNAVAILABLE');
    }
    await mend();
    await expectWhole(store, acknowledged);
    const saved = await saveSome(store, 'novel');
    await expectWhole(store, saved);
    expect(saved.seq).toBe(acknowledged.seq + SAVE_LENGTH);
  });

  test('[ST3] whichever write of a save fails, the store goes on, the one that makes it visible included', async () => {
    child = await StoreProcess.start();
    const store = await child.open({ directory });
    await openedSession(store, 'novel');
    await saveSome(store, 'novel');
    // After a failure of that last write LMDB takes no more: another write on the same environment would wait for ever.
    // How many writes are before it differs from save to save, so we try until we have hit it.
    let failures = 0;
    let hasFailedLast = false;
    for (let attempt = 0; attempt < 40 && !hasFailedLast; attempt += 1) {
      const { mend } = await breakSystemCall('pwrite64', 1 + (attempt % 6));
      const outcome = await saveSome(store, 'novel').catch((fault: unknown) => fault);
      const trace = await mend();
      failures += outcome instanceof FlowError ? 1 : 0;
      await expectWhole(store, await saveSome(store, 'novel'));
      hasFailedLast = trace.split('\n').some((line) => line.includes('INJECTED') && isMetaPage(line));
    }
    expect(hasFailedLast).toBe(true);
    expect(failures).toBeGreaterThan(0);
    expect(child.unhandled).toEqual([]);
  });

  /** It is written alone, and only the part of it that changes. */
  const isMetaPage = (line: string): boolean => Number(/, (\d+), \d+\) += /.exec(line)?.[1]) < 4_096;
});

// Mounting takes rights that not everybody who runs the tests has; the size limit above fails at the same place.
if (canMount()) {
  test('a full file system refuses saves, and takes them again in the same process when there is room', async () => {
    const mounted = join(directory, 'small');
    await mkdir(mounted);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted]);
    const outside = directory;
    try {
      const ballast = join(mounted, 'ballast');
      await writeFile(ballast, Buffer.alloc(2_000_000));
      directory = mounted;
      child = await StoreProcess.start();
      expect(await runOutOfSpace(await child.open({ directory }), () => rm(ballast))).toBeGreaterThan(0);
    } finally {
      directory = outside;
      await child.end('SIGKILL');
      await run('umount', [mounted]);
    }
  });
}

function canMount(): boolean {
  return process.platform === 'linux' && spawnSync('unshare', ['--mount', 'true']).status === 0;
}
