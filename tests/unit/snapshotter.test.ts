import { createLogger } from '../../src/lib/logger';
import { Snapshotter, type SinceSnapshot } from '../../src/live/snapshotter';
import { markOf, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import type { DocumentFolder } from '../../src/storage/document-folder';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { chain } from '../support/entries';
import { ManualClock } from '../support/manual-clock';

const DUE = 10;
const FOLD_MS = 100;

interface Fold {
  readonly sessionId: string;
  readonly atMs: number;
  readonly entries: number;
}

let clock: ManualClock;
let store: MemoryDocumentStore;
let snapshotter: Snapshotter;
let folds: Fold[];
let warnings: number;
let snapshotsRead: number;
/** While set, folding fails. */
let isBroken: boolean;
const heads = new Map<string, Mark>();

const unneeded = (): never => {
  throw new Error('not needed here');
};

/** Takes its time, as the clock has it, and counts. */
const folder: DocumentFolder = {
  async toUpdate({ entries }) {
    const atMs = clock.monotonic();
    await new Promise<void>((resolve) => clock.after(FOLD_MS, resolve));
    let [count, sessionId] = [0, ''];
    for await (const page of entries) {
      count += page.length;
      sessionId = page[0]?.userId ?? '';
    }
    if (isBroken) throw new Error('broken');
    folds.push({ sessionId, atMs, entries: count });
    return new Uint8Array([1]);
  },
  toText: unneeded,
  toJson: unneeded,
  tryOut: unneeded,
  difference: unneeded,
  start: unneeded,
  stop: unneeded,
};

function makeSnapshotter(): Snapshotter {
  const { operationLog, snapshots } = store;
  const write = (): void => void (warnings += 1);
  return new Snapshotter({
    operationLog,
    snapshots: {
      latestMark: (sessionId) => snapshots.latestMark(sessionId),
      put: (...given) => snapshots.put(...given),
      latest: (sessionId) => {
        snapshotsRead += 1;
        return snapshots.latest(sessionId);
      },
    },
    folder,
    clock,
    log: createLogger({ level: 'warn', instanceId: 'i' }, { write }),
    afterEntries: DUE,
    afterBytes: 1_000_000,
    historyMs: 1_000_000,
  });
}

beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryDocumentStore();
  folds = [];
  warnings = 0;
  snapshotsRead = 0;
  isBroken = false;
  heads.clear();
  snapshotter = makeSnapshotter();
});

async function follow(sessionId: string): Promise<SinceSnapshot> {
  await store.sessionRecords.create({
    sessionId,
    title: '',
    format: 'yjs',
    createdBy: 'ada',
    link: 'none',
    createdAt: 0,
    updatedAt: 0,
  });
  await store.operationLog.openEpoch(sessionId, 0, 0);
  return snapshotter.follow(sessionId, GENESIS);
}

/** So many entries are saved; their user is the session, so that the folder can tell which it folds. */
async function save(since: SinceSnapshot, count: number): Promise<void> {
  const { sessionId } = since;
  const entries: Entry[] = chain(count, {
    after: heads.get(sessionId) ?? GENESIS,
    userId: sessionId,
    at: clock.now(),
  });
  const last = entries.at(-1);
  if (last) heads.set(sessionId, markOf(last));
  await store.operationLog.save([{ sessionId, epoch: 1, entries }]);
  snapshotter.onSaved(since, entries);
}

const pass = (ms: number): Promise<void> => clock.advanceInSteps(ms, 50);
const folded = (): string[] => folds.map(({ sessionId }) => sessionId);

describe('[ST9] snapshots while people type', () => {
  test('one is due after so many entries', async () => {
    const a = await follow('a');
    await save(a, DUE - 1);
    await pass(1_000);
    expect(folds).toEqual([]);
    await save(a, 1);
    await pass(FOLD_MS + 50);
    expect(folds).toMatchObject([{ sessionId: 'a', entries: DUE }]);
    expect((await store.snapshots.latest('a'))?.at).toEqual(heads.get('a'));
  });

  test('folding takes at most a tenth of the time, whoever waits', async () => {
    const busy = await Promise.all(Array.from({ length: 20 }, (_, index) => follow(`s${index}`)));
    for (const since of busy) await save(since, DUE);
    await pass(10 * FOLD_MS * 10);
    expect(folds.length).toBeGreaterThanOrEqual(9);
    expect(folds.length).toBeLessThanOrEqual(11);
    const betweenMs = folds.slice(1).map(({ atMs }, index) => atMs - (folds[index]?.atMs ?? 0));
    expect(Math.min(...betweenMs)).toBeGreaterThanOrEqual(10 * FOLD_MS);
    // In the order in which they became due.
    expect(folded()).toEqual(busy.slice(0, folds.length).map(({ sessionId }) => sessionId));
  });

  test('a session that has been folded is left alone for ten seconds, and folded then though nobody types any more', async () => {
    const a = await follow('a');
    await save(a, DUE);
    await pass(FOLD_MS + 50);
    await save(a, DUE);
    await pass(9_000);
    expect(folds).toHaveLength(1);
    await pass(1_200);
    expect(folds).toMatchObject([{ entries: DUE }, { entries: DUE }]);
  });

  test('others need not wait for a session that is left alone', async () => {
    const [a, b] = [await follow('a'), await follow('b')];
    await save(a, DUE);
    await pass(FOLD_MS + 50);
    await save(a, DUE);
    await save(b, DUE);
    await pass(20 * FOLD_MS);
    expect(folded()).toEqual(['a', 'b']);
  });

  test('who has gathered twenty times as much goes first', async () => {
    const [first, second, third] = [await follow('first'), await follow('second'), await follow('third')];
    await save(first, DUE);
    await save(second, DUE);
    await save(third, DUE);
    await save(third, DUE * 19);
    await pass(40 * FOLD_MS);
    expect(folded()).toEqual(['third', 'first', 'second']);
  });

  test('a session that was folded while it waited is not folded again', async () => {
    const [a, b] = [await follow('a'), await follow('b')];
    await save(a, DUE);
    await save(b, DUE);
    const closing = snapshotter.fold(b);
    await pass(30 * FOLD_MS);
    await closing;
    expect(folded().sort()).toEqual(['a', 'b']);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a session that is closed while it waits is not folded', async () => {
    const [a, b] = [await follow('a'), await follow('b')];
    await save(a, DUE);
    await save(b, DUE);
    snapshotter.forget(b);
    await pass(30 * FOLD_MS);
    expect(folded()).toEqual(['a']);
  });

  test('where nothing is new, nothing is read and nothing folded', async () => {
    const a = await follow('a');
    await save(a, DUE);
    await pass(FOLD_MS + 50);
    snapshotsRead = 0;
    await snapshotter.fold(a);
    expect([folds.length, snapshotsRead]).toEqual([1, 0]);
  });

  test('a fold that fails is told, and the next one takes its entries', async () => {
    const [a, b] = [await follow('a'), await follow('b')];
    isBroken = true;
    await save(a, DUE);
    await pass(FOLD_MS + 50);
    expect([folds.length, warnings]).toEqual([0, 1]);
    isBroken = false;
    await save(b, DUE);
    await save(a, DUE);
    await pass(12_000);
    expect(folds).toMatchObject([
      { sessionId: 'b', entries: DUE },
      { sessionId: 'a', entries: 2 * DUE },
    ]);
  });

  test('stopped in a pause, it folds nothing more and leaves no timer', async () => {
    const [a, b] = [await follow('a'), await follow('b')];
    await save(a, DUE);
    await save(b, DUE);
    await pass(FOLD_MS + 50);
    snapshotter.stop();
    expect(clock.pendingTimers).toBe(0);
    await save(b, DUE);
    await pass(60_000);
    expect(folded()).toEqual(['a']);
  });
});
