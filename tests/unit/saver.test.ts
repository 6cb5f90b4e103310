import fc from 'fast-check';
import { SaveQueue, Saver, type SaveClient } from '../../src/live/saver';
import { silentLogger } from '../../src/lib/logger';
import { weightOf, type Entry } from '../../src/protocol/entry';
import { FlowError } from '../../src/protocol/errors';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import type { SaveResult, SessionSave } from '../../src/storage/operation-log';
import { Telemetry } from '../../src/telemetry/telemetry';
import { chain, entryAfter } from '../support/entries';
import { ManualClock, settle } from '../support/manual-clock';

const INTERVAL_MS = 20;

/** A store whose every answer is the test's to give. */
class Store {
  readonly calls: Array<{
    readonly saves: readonly SessionSave[];
    answer(...results: SaveResult[]): Promise<void>;
    fail(fault?: Error): Promise<void>;
    /** Says `saved` for everything. */
    accept(): Promise<void>;
  }> = [];

  save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    return new Promise((resolve, reject) => {
      const answer = (...results: SaveResult[]): Promise<void> => {
        resolve(results);
        return settle();
      };
      this.calls.push({
        saves,
        answer,
        fail: (fault = new FlowError('STORE_UNAVAILABLE', 'disk full')) => {
          reject(fault);
          return settle();
        },
        accept: () =>
          answer(...saves.map(({ entries }): SaveResult => ({ status: 'saved', head: markOfLast(entries) }))),
      });
    });
  }

  get last() {
    const call = this.calls.at(-1);
    if (!call) throw new Error('nothing was saved');
    return call;
  }
}

function markOfLast(entries: readonly Entry[]): Mark {
  const last = entries.at(-1);
  return last ? { seq: last.seq, tag: last.tag } : GENESIS;
}

/** A session that is saved: its queue, the results it heard of, and everything it ever gave to be saved. */
class Session implements SaveClient {
  readonly results: SaveResult[] = [];
  readonly given: Entry[] = [];
  readonly queue: SaveQueue;
  readonly #saver: Saver;

  constructor(
    saver: Saver,
    readonly sessionId: string,
    epoch = 1,
  ) {
    this.#saver = saver;
    this.queue = new SaveQueue(this, epoch);
  }

  write(count = 1, bytes = 1): void {
    for (const entry of chain(count, { after: markOfLast(this.given), operations: ['x'.repeat(bytes)] })) {
      this.given.push(entry);
      this.#saver.add(this.queue, entry);
    }
  }

  onSaveResult(_queue: SaveQueue, result: SaveResult): void {
    this.results.push(result);
  }
}

let clock: ManualClock;
let store: Store;
let telemetry: Telemetry;
let saver: Saver;

beforeEach(() => {
  clock = new ManualClock();
  store = new Store();
  telemetry = new Telemetry();
  saver = new Saver({
    operationLog: {
      durability: 'none',
      save: (saves) => store.save(saves),
      ...notNeeded,
    },
    clock,
    telemetry,
    log: silentLogger,
    intervalMs: INTERVAL_MS,
  });
});

const missing = (): never => {
  throw new Error('the saver only saves');
};
const notNeeded = {
  head: missing,
  openEpoch: missing,
  readAfter: missing,
  tagAt: missing,
  clientRow: missing,
  prune: missing,
};

const session = (name: string, epoch?: number): Session => new Session(saver, name, epoch);
const seqsOf = (saves: readonly SessionSave[]) =>
  saves.map(({ sessionId, entries }) => [sessionId, entries.map(({ seq }) => seq)]);

describe('[ST6] group commit', () => {
  test('one flush carries all dirty sessions, and begins so long after the first entry', () => {
    const [a, b] = [session('a'), session('b', 7)];
    a.write();
    clock.advance(12);
    b.write(2);
    a.write();
    clock.advance(7);
    expect(store.calls).toHaveLength(0);
    clock.advance(1);
    expect(store.calls).toHaveLength(1);
    expect(seqsOf(store.last.saves)).toEqual([
      ['a', [1, 2]],
      ['b', [1, 2]],
    ]);
    expect(store.last.saves.map(({ epoch }) => epoch)).toEqual([1, 7]);
  });

  test('a flush never begins beside another; what came meanwhile goes with the next one', async () => {
    const a = session('a');
    a.write();
    clock.advance(INTERVAL_MS);
    const first = store.last;
    a.write(2);
    clock.advance(1_000);
    expect(store.calls).toHaveLength(1);
    await first.accept();
    // Its interval is long over.
    clock.advance(0);
    expect(seqsOf(store.last.saves)).toEqual([['a', [2, 3]]]);
    await store.last.accept();
    expect(a.results).toEqual([
      { status: 'saved', head: markOfLast(a.given.slice(0, 1)) },
      { status: 'saved', head: markOfLast(a.given) },
    ]);
  });

  test('what comes during a quick flush waits for its own interval', async () => {
    const a = session('a');
    a.write();
    clock.advance(INTERVAL_MS);
    clock.advance(2);
    a.write();
    await store.last.accept();
    clock.advance(INTERVAL_MS - 1);
    expect(store.calls).toHaveLength(1);
    clock.advance(1);
    expect(store.calls).toHaveLength(2);
  });

  test('nothing to save, nothing to do: no timer, no call', async () => {
    const a = session('a');
    a.write();
    clock.advance(INTERVAL_MS);
    await store.last.accept();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(10_000);
    expect(store.calls).toHaveLength(1);
  });

  test('each session gets its own result: a fenced one holds nobody up', async () => {
    const [a, b, c] = [session('a'), session('b'), session('c')];
    for (const one of [a, b, c]) one.write(3);
    clock.advance(INTERVAL_MS);
    const fenced: SaveResult = { status: 'fenced', epoch: 9 };
    const diverged: SaveResult = { status: 'diverged', head: GENESIS };
    const saved: SaveResult = { status: 'saved', head: markOfLast(c.given) };
    await store.last.answer(fenced, diverged, saved);
    expect([a.results, b.results, c.results]).toEqual([[fenced], [diverged], [saved]]);
    expect(saver.status().unsavedSessions).toEqual([]);
    expect(saver.unsavedBytes).toBe(0);
    clock.advance(10_000);
    expect(store.calls).toHaveLength(1);
  });

  test('a backlog is written in flushes of bounded size, and those who wait come before the rest of it', async () => {
    const [large, small] = [session('large'), session('small')];
    large.write(10, 750_000);
    small.write();
    clock.advance(INTERVAL_MS);
    expect(seqsOf(store.last.saves)).toEqual([['large', [1, 2, 3]]]);
    await store.last.accept();
    clock.advance(0);
    expect(seqsOf(store.last.saves)).toEqual([
      ['small', [1]],
      ['large', [4, 5, 6]],
    ]);
    await store.last.accept();
    clock.advance(0);
    await store.last.accept();
    clock.advance(0);
    await store.last.accept();
    expect(large.results.at(-1)).toEqual({ status: 'saved', head: markOfLast(large.given) });
    expect(saver.unsavedBytes).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('[ST7] a store that fails', () => {
  test('is tried again with growing pauses, for ever, and nothing is lost or moved', async () => {
    const a = session('a');
    a.write(2);
    clock.advance(INTERVAL_MS);
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      await store.last.fail();
      a.write();
      const before = { at: clock.monotonic(), calls: store.calls.length };
      while (store.calls.length === before.calls) clock.advance(5);
      pauses.push(clock.monotonic() - before.at);
      expect(store.last.saves[0]?.entries).toEqual(a.given);
    }
    expect(Math.max(...pauses)).toBeLessThanOrEqual(2_005);
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(1_000);
    expect(pauses[0]).toBeLessThanOrEqual(55);
    await store.last.accept();
    expect(a.results).toEqual([{ status: 'saved', head: markOfLast(a.given) }]);
    expect(saver.status()).toEqual({ unsavedSessions: [], oldestUnsavedMs: 0 });
  });

  test('says who waits, since when, and why, until it works again', async () => {
    const [a, b] = [session('a'), session('b')];
    a.write();
    clock.advance(INTERVAL_MS);
    await store.last.fail(new FlowError('STORE_UNAVAILABLE', 'disk full'));
    clock.advance(10);
    b.write();
    clock.advance(15);
    expect(saver.status()).toEqual({ unsavedSessions: ['a', 'b'], oldestUnsavedMs: 45, failure: 'disk full' });
  });

  test('says how old the oldest is also of a backlog that takes several flushes', async () => {
    const a = session('a');
    // More than the two megabytes of one flush, all of the same moment.
    a.write(6, 1_000_000);
    clock.advance(INTERVAL_MS);
    expect(store.last.saves[0]?.entries.length).toBeLessThan(6);
    clock.advance(3_000);
    await store.last.accept();
    clock.advance(1);
    expect(store.calls).toHaveLength(2);
    expect(saver.status().oldestUnsavedMs).toBe(INTERVAL_MS + 3_001);
    a.write();
    await store.last.accept();
    clock.advance(2);
    expect(saver.status().oldestUnsavedMs).toBe(2);
    clock.advance(INTERVAL_MS);
    await store.last.accept();
    expect(saver.status()).toEqual({ unsavedSessions: [], oldestUnsavedMs: 0 });
  });

  test('a store that throws instead of rejecting is one that failed', async () => {
    let isBroken = true;
    const throwing = new Saver({
      operationLog: {
        durability: 'none',
        save: (saves) => {
          if (isBroken) throw new Error('broken');
          return store.save(saves);
        },
        ...notNeeded,
      },
      clock,
      telemetry,
      log: silentLogger,
      intervalMs: INTERVAL_MS,
    });
    const a = new Session(throwing, 'a');
    a.write();
    clock.advance(INTERVAL_MS);
    await settle();
    expect(throwing.status()).toMatchObject({ failure: 'broken' });
    isBroken = false;
    clock.advance(100);
    await store.last.accept();
    expect(a.results).toEqual([{ status: 'saved', head: markOfLast(a.given) }]);
  });

  test('an answer that is missing is no answer: the entries are saved again', async () => {
    const [a, b] = [session('a'), session('b')];
    a.write();
    b.write();
    clock.advance(INTERVAL_MS);
    await store.last.answer({ status: 'saved', head: markOfLast(a.given) });
    clock.advance(INTERVAL_MS);
    expect(seqsOf(store.last.saves)).toEqual([['b', [1]]]);
  });
});

describe('dropping', () => {
  test('what is dropped is not saved and weighs nothing', () => {
    const [a, b] = [session('a'), session('b')];
    a.write(3);
    b.write();
    saver.drop(a.queue);
    expect(saver.unsavedBytes).toBe(weightOf(b.given[0] ?? entryAfter({})));
    clock.advance(INTERVAL_MS);
    expect(seqsOf(store.last.saves)).toEqual([['b', [1]]]);
  });

  test('dropped while it is being saved, its bytes are counted once', async () => {
    const a = session('a');
    a.write(3);
    clock.advance(INTERVAL_MS);
    saver.drop(a.queue);
    expect(saver.unsavedBytes).toBe(0);
    await store.last.accept();
    expect(saver.unsavedBytes).toBe(0);
    expect(saver.status().unsavedSessions).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('[ST8] settling', () => {
  /** Whether it has resolved by now. */
  function watch(promise: Promise<void>): () => boolean {
    let isDone = false;
    void promise.then(() => {
      isDone = true;
    });
    return () => isDone;
  }

  test('with nothing unsaved it is settled', async () => {
    await saver.settled();
    expect(store.calls).toHaveLength(0);
  });

  test('it begins a flush at once, and is settled when everything is saved', async () => {
    const a = session('a');
    a.write(6, 750_000);
    const isSettled = watch(saver.settled());
    expect(store.calls).toHaveLength(1);
    await store.last.accept();
    expect(isSettled()).toBe(false);
    clock.advance(0);
    await store.last.accept();
    expect(isSettled()).toBe(true);
  });

  test('during a pause after a failure it tries at once', async () => {
    const a = session('a');
    a.write();
    clock.advance(INTERVAL_MS);
    await store.last.fail();
    const isSettled = watch(saver.settled());
    expect(store.calls).toHaveLength(2);
    await store.last.fail();
    expect(isSettled()).toBe(false);
    clock.advance(2_000);
    await store.last.accept();
    expect(isSettled()).toBe(true);
  });

  test('what is dropped need not be waited for', async () => {
    const a = session('a');
    a.write();
    const isSettled = watch(saver.settled());
    saver.drop(a.queue);
    await settle();
    expect(isSettled()).toBe(true);
  });

  test('one session is settled when its own entries are saved, however busy the others are', async () => {
    const [a, busy] = [session('a'), session('busy')];
    a.write();
    busy.write();
    clock.advance(INTERVAL_MS);
    a.write();
    const isSettled = watch(saver.settled(a.queue));
    busy.write();
    await store.last.accept();
    expect(isSettled()).toBe(false);
    clock.advance(0);
    busy.write();
    await store.last.accept();
    expect(isSettled()).toBe(true);
    expect(saver.status().unsavedSessions).toEqual(['busy']);
  });

  test('a stopped saver leaves no timer, whatever the flush under way comes to', async () => {
    const a = session('a');
    a.write();
    clock.advance(INTERVAL_MS);
    a.write();
    saver.stop();
    await store.last.fail();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(10_000);
    expect(store.calls).toHaveLength(1);
    expect(saver.status().unsavedSessions).toEqual(['a']);
  });
});

test('[ST6] [ST7] under any schedule every entry is stored once, in order, and no byte stays counted', async () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        who: fc.nat(2),
        count: fc.integer({ min: 1, max: 5 }),
        bytes: fc.constantFrom(1, 100, 500_000),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('answer' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      clock = new ManualClock();
      store = new Store();
      saver = new Saver({
        operationLog: { durability: 'none', save: (saves) => store.save(saves), ...notNeeded },
        clock,
        telemetry,
        log: silentLogger,
        intervalMs: INTERVAL_MS,
      });
      const sessions = [session('a'), session('b'), session('c')];
      const stored = new Map<string, Entry[]>(sessions.map(({ sessionId }) => [sessionId, []]));
      let answered = 0;
      const answer = async (): Promise<void> => {
        const call = store.calls[answered];
        if (!call) return;
        answered += 1;
        for (const { sessionId, entries } of call.saves) stored.get(sessionId)?.push(...entries);
        await call.accept();
      };
      for (const one of steps) {
        if (one.do === 'write') sessions[one.who]?.write(one.count, one.bytes);
        else if (one.do === 'wait') clock.advance(one.ms);
        else if (one.do === 'answer') await answer();
        else if (store.calls.length > answered) {
          answered += 1;
          await store.last.fail();
        }
        const unsaved = sessions.flatMap(({ given, sessionId }) => given.slice(stored.get(sessionId)?.length ?? 0));
        expect(saver.unsavedBytes).toBe(unsaved.reduce((sum, entry) => sum + weightOf(entry), 0));
      }
      for (let round = 0; round < 200 && saver.status().unsavedSessions.length > 0; round += 1) {
        clock.advance(2_000);
        await answer();
      }
      for (const { sessionId, given } of sessions) expect(stored.get(sessionId)).toEqual(given);
      expect(saver.unsavedBytes).toBe(0);
      await answer();
      expect(clock.pendingTimers).toBe(0);
    }),
    { numRuns: 60 },
  );
});
