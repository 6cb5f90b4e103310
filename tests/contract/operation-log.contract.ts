import fc from 'fast-check';
import { markBefore, markOf, prevSeqOf, weightOf, type Entry } from '../../src/protocol/entry';
import { GENESIS, isSameMark, type Mark } from '../../src/protocol/positions';
import type { OperationLog } from '../../src/storage/operation-log';
import { chain, entryAfter } from '../support/entries';
import { nth, openedSession, sessionRecord, storedEntries, type SharedStore } from '../support/stores';

/** What every durable history promises. */
export function operationLogContract(openStore: () => Promise<SharedStore>): void {
  let store: SharedStore;
  let log: OperationLog;
  let other: OperationLog;

  beforeEach(async () => {
    store = await openStore();
    log = store.one.operationLog;
    other = store.other.operationLog;
  });
  afterEach(() => store.close());

  const save = async (sessionId: string, epoch: number, entries: readonly Entry[]) =>
    (await log.save([{ sessionId, epoch, entries }]))[0];

  describe('an epoch', () => {
    test('[ST1] is 0 before the first opening, and a session that is not there has none', async () => {
      await store.one.sessionRecords.create(sessionRecord('novel'));
      expect(await log.head('novel')).toEqual({ epoch: 0, ...GENESIS });
      expect(await log.head('nowhere')).toBeNull();
    });

    test('[ST1] is raised above what was seen and above what the hot log had', async () => {
      await store.one.sessionRecords.create(sessionRecord('novel'));
      expect(await log.openEpoch('novel', 0, 0)).toEqual({ epoch: 1, ...GENESIS });
      expect(await log.openEpoch('novel', 1, 7)).toEqual({ epoch: 8, ...GENESIS });
      expect(await log.openEpoch('novel', 8, 3)).toEqual({ epoch: 9, ...GENESIS });
      expect(await other.head('novel')).toEqual({ epoch: 9, ...GENESIS });
    });

    test('[ST1] is not raised when the stored one is another by now, nor for a session that is not there', async () => {
      await openedSession(store.one, 'novel');
      expect(await other.openEpoch('novel', 0, 0)).toBeNull();
      expect(await other.openEpoch('novel', 2, 0)).toBeNull();
      expect(await other.openEpoch('nowhere', 0, 0)).toBeNull();
      expect(await log.head('novel')).toMatchObject({ epoch: 1 });
    });

    test('[ST1] is given to exactly one of those who ask at the same time', async () => {
      await store.one.sessionRecords.create(sessionRecord('novel'));
      const answers = await Promise.all([log, other, log, other].map((node) => node.openEpoch('novel', 0, 0)));
      expect(answers.filter((answer) => answer !== null)).toEqual([{ epoch: 1, ...GENESIS }]);
    });

    test('[ST1] comes with the stored head', async () => {
      await openedSession(store.one, 'novel');
      const entries = chain(3);
      await save('novel', 1, entries);
      expect(await other.openEpoch('novel', 1, 0)).toEqual({ epoch: 2, ...markOf(nth(entries, 2)) });
    });
  });

  describe('a save', () => {
    beforeEach(() => openedSession(store.one, 'novel'));

    test('[EO1] keeps every field of its entries, in order, for every node', async () => {
      const first = entryAfter({ count: 3, operations: '["ä\\u0000 \u2028 😀",{"deep":[1,null]},""]' });
      const second = entryAfter({
        after: markOf(first),
        clientId: 'bob.~_-1',
        userId: 'Bob \u0000 \ud83d\ude00',
        epoch: 1,
        at: 0,
      });
      expect(await save('novel', 1, [first, second])).toEqual({ status: 'saved', head: markOf(second) });
      expect(await storedEntries(store.other, 'novel')).toEqual([first, second]);
      expect(await other.head('novel')).toEqual({ epoch: 1, ...markOf(second) });
    });

    test('[ST2] under an older epoch is fenced and changes nothing', async () => {
      const [first, second] = chain(2) as [Entry, Entry];
      await save('novel', 1, [first]);
      await other.openEpoch('novel', 1, 0);
      expect(await save('novel', 1, [second])).toEqual({ status: 'fenced', epoch: 2 });
      expect(await storedEntries(store.one, 'novel')).toEqual([first]);
    });

    test('[ST2] under an epoch that was never opened is fenced, and makes no session', async () => {
      await store.one.sessionRecords.create(sessionRecord('unopened'));
      const entries = chain(1);
      expect(await save('novel', 2, entries)).toEqual({ status: 'fenced', epoch: 1 });
      expect(await save('unopened', 0, entries)).toEqual({ status: 'fenced', epoch: 0 });
      expect(await save('nowhere', 1, entries)).toEqual({ status: 'fenced', epoch: 0 });
      expect(await log.head('nowhere')).toBeNull();
    });

    test.each<[string, (first: Entry, last: Entry) => readonly Entry[]]>([
      ['leaves a hole', (_, last) => [entryAfter({ after: { seq: 5, tag: last.tag } })]],
      ['continues another history', (_, last) => [entryAfter({ after: { seq: last.seq, tag: 'ffffffffffffffff' } })]],
      [
        'has another entry where one is stored',
        (first) => [entryAfter({ after: markOf(first), operations: '["other"]' })],
      ],
      ['has other entries from the beginning', () => chain(3, { clientId: 'mallory-1' })],
      ['straddles the stored head', (first) => [entryAfter({ after: markOf(first), count: 3 })]],
      ['ends inside a stored entry', () => [entryAfter({ count: 2 })]],
      [
        'has a hole in itself',
        (_, last) => [entryAfter({ after: markOf(last) }), entryAfter({ after: { seq: 4, tag: 'ffffffffffffffff' } })],
      ],
      [
        'begins right and goes on wrong',
        (_, last) => [entryAfter({ after: markOf(last) }), entryAfter({ after: markOf(last) })],
      ],
    ])('[ST2] that %s has diverged and changes nothing', async (_, makeEntries) => {
      const first = entryAfter({});
      const last = entryAfter({ after: markOf(first), count: 2 });
      const stored = [first, last];
      const head = markOf(last);
      await save('novel', 1, stored);
      expect(await save('novel', 1, makeEntries(first, last))).toEqual({ status: 'diverged', head });
      expect(await storedEntries(store.other, 'novel')).toEqual(stored);
      expect(await log.head('novel')).toEqual({ epoch: 1, ...head });
      expect(await log.clientRow('novel', 'client-1')).toMatchObject({ seq: head.seq });
    });

    test('[ST2] passes over what is stored with the same tags and counts it as saved', async () => {
      const entries = chain(5);
      const saved = (length: number) => ({ status: 'saved', head: markOf(nth(entries, length - 1)) });
      expect(await save('novel', 1, entries.slice(0, 3))).toEqual(saved(3));
      expect(await save('novel', 1, entries.slice(0, 2))).toEqual(saved(3));
      expect(await save('novel', 1, entries.slice(1, 5))).toEqual(saved(5));
      expect(await save('novel', 1, entries)).toEqual(saved(5));
      expect(await storedEntries(store.one, 'novel')).toEqual(entries);
    });

    test('[ST2] of what another node saved under the same epoch is no conflict', async () => {
      const entries = chain(4);
      const results = await Promise.all(
        [log, other].map((node) => node.save([{ sessionId: 'novel', epoch: 1, entries }])),
      );
      expect(results.flat()).toEqual(Array(2).fill({ status: 'saved', head: markOf(nth(entries, 3)) }));
      expect(await storedEntries(store.one, 'novel')).toEqual(entries);
    });

    test('[ST6] answers for each session by itself, in the order asked', async () => {
      await openedSession(store.one, 'fenced');
      await other.openEpoch('fenced', 1, 0);
      await openedSession(store.one, 'diverged');
      await openedSession(store.one, 'poem');
      const entries = chain(2);
      const results = await log.save([
        { sessionId: 'fenced', epoch: 1, entries },
        { sessionId: 'novel', epoch: 1, entries },
        { sessionId: 'diverged', epoch: 1, entries: entries.slice(1) },
        { sessionId: 'poem', epoch: 1, entries: [] },
        { sessionId: 'novel', epoch: 1, entries: [entryAfter({ after: markOf(nth(entries, 1)) })] },
      ]);
      expect(results).toEqual([
        { status: 'fenced', epoch: 2 },
        { status: 'saved', head: markOf(nth(entries, 1)) },
        { status: 'diverged', head: GENESIS },
        { status: 'saved', head: GENESIS },
        { status: 'saved', head: markOf(entryAfter({ after: markOf(nth(entries, 1)) })) },
      ]);
      expect(await storedEntries(store.one, 'fenced')).toEqual([]);
      expect(await storedEntries(store.one, 'diverged')).toEqual([]);
      expect(await storedEntries(store.one, 'novel')).toHaveLength(3);
    });

    test('[ST3] is there for every node when it resolves', async () => {
      let at: Mark = GENESIS;
      for (let round = 0; round < 20; round += 1) {
        const entry = entryAfter({ after: at });
        await (round % 2 ? log : other).save([{ sessionId: 'novel', epoch: 1, entries: [entry] }]);
        at = markOf(entry);
        expect(await (round % 2 ? other : log).head('novel')).toEqual({ epoch: 1, ...at });
      }
    });
  });

  describe('reading', () => {
    beforeEach(() => openedSession(store.one, 'novel'));

    test('[EO8] after a position returns every entry after it, in order and whole', async () => {
      const first = entryAfter({ count: 4 });
      const entries = [first, ...chain(3, { after: markOf(first) })];
      await save('novel', 1, entries);
      expect(await log.readAfter('novel', 0, 1_000_000)).toEqual(entries);
      expect(await log.readAfter('novel', 2, 1_000_000)).toEqual(entries);
      expect(await log.readAfter('novel', 4, 1_000_000)).toEqual(entries.slice(1));
      expect(await log.readAfter('novel', 7, 1_000_000)).toEqual([]);
      expect(await log.readAfter('nowhere', 0, 1_000_000)).toEqual([]);
    });

    test('[EO8] goes page by page, at least one entry and about so many bytes at a time', async () => {
      const entries = chain(50);
      await save('novel', 1, entries);
      expect(await log.readAfter('novel', 0, 1)).toEqual(entries.slice(0, 1));
      const pageBytes = 10 * weightOf(nth(entries, 20));
      const pages: Entry[][] = [];
      for (let seq = 0; seq < 50; seq = nth(nth(pages, -1), -1).seq) {
        pages.push([...(await log.readAfter('novel', seq, pageBytes))]);
      }
      expect(pages.flat()).toEqual(entries);
      expect(pages.length).toBeGreaterThanOrEqual(5);
      expect(pages.length).toBeLessThanOrEqual(6);
    });

    test('[EO8] of one session sees nothing of another', async () => {
      const ids = ['a', 'aa', 'a.', 'a~', 'b', 'novel1', 'x'.repeat(128)];
      for (const id of ids) {
        await openedSession(store.one, id);
        await save(id, 1, chain(2, { clientId: `client-of-${id.slice(0, 9)}` }));
      }
      for (const id of ids) {
        expect((await storedEntries(store.one, id)).map(({ clientId }) => clientId)).toEqual(
          Array(2).fill(`client-of-${id.slice(0, 9)}`),
        );
      }
      expect(await storedEntries(store.one, 'novel')).toEqual([]);
    });

    test('a tag is told where an entry ends, and nowhere else', async () => {
      const first = entryAfter({ count: 3 });
      const second = entryAfter({ after: markOf(first), count: 2 });
      await save('novel', 1, [first, second]);
      const told = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((seq) => log.tagAt('novel', seq)));
      expect(told).toEqual([null, null, null, first.tag, null, second.tag, null]);
      expect(await log.tagAt('nowhere', 1)).toBeNull();
    });

    test('[EO11] a client has the row of its last entry; one that never wrote has none', async () => {
      const first = entryAfter({ clientId: 'client-1', clientSeq: 1 });
      const second = entryAfter({ after: markOf(first), clientId: 'bob-1', clientSeq: 4, count: 4 });
      const third = entryAfter({ after: markOf(second), clientId: 'client-1', clientSeq: 3, count: 2 });
      await save('novel', 1, [first]);
      await save('novel', 1, [second, third]);
      const { seq, count, prevTag, tag } = third;
      expect(await other.clientRow('novel', 'client-1')).toEqual({ clientSeq: 3, seq, count, prevTag, tag });
      expect(await log.clientRow('novel', 'bob-1')).toMatchObject({ clientSeq: 4, seq: second.seq });
      expect(await log.clientRow('novel', 'alice')).toBeNull();
      expect(await log.clientRow('nowhere', 'client-1')).toBeNull();
    });

    test('[EO11] a client row never goes backwards, whatever is saved again', async () => {
      const entries = chain(4);
      await save('novel', 1, entries);
      await save('novel', 1, entries.slice(0, 2));
      await save('novel', 1, chain(1, { clientSeq: 9 }));
      expect(await log.clientRow('novel', 'client-1')).toMatchObject({
        clientSeq: 4,
        seq: 4,
        tag: nth(entries, 3).tag,
      });
    });
  });

  describe('pruning', () => {
    let entries: Entry[];

    beforeEach(async () => {
      await openedSession(store.one, 'novel');
      entries = [];
      for (let day = 1; day <= 10; day += 1)
        entries.push(entryAfter({ after: entries.length ? markOf(nth(entries, -1)) : GENESIS, at: day }));
      await save('novel', 1, entries);
    });
    const snapshotAt = (seq: number) =>
      store.one.snapshots.put('novel', { at: markOf(nth(entries, seq - 1)), payload: Uint8Array.of(1) });

    test('[ST10] removes what is old and below the position, and says how much', async () => {
      await snapshotAt(10);
      expect(await log.prune('novel', 6, 4)).toBe(3);
      expect(await storedEntries(store.other, 'novel')).toEqual(entries.slice(3));
      expect(await log.prune('novel', 6, 100)).toBe(3);
      expect(await storedEntries(store.one, 'novel')).toEqual(entries.slice(6));
      expect(await log.prune('novel', 6, 100)).toBe(0);
      expect(await log.prune('nowhere', 6, 100)).toBe(0);
    });

    test('[ST10] never removes an entry above the latest snapshot, whatever is asked', async () => {
      expect(await log.prune('novel', 10, 100)).toBe(0);
      await snapshotAt(4);
      expect(await log.prune('novel', 10, 100)).toBe(4);
      expect(await storedEntries(store.one, 'novel')).toEqual(entries.slice(4));
    });

    test('leaves no hole where clocks went backwards', async () => {
      const late = entryAfter({ after: markOf(nth(entries, 9)), at: 50 });
      const early = entryAfter({ after: markOf(late), at: 2 });
      await save('novel', 1, [late, early]);
      await store.one.snapshots.put('novel', { at: markOf(early), payload: Uint8Array.of(1) });
      expect(await log.prune('novel', 12, 20)).toBe(10);
      expect(await storedEntries(store.one, 'novel')).toEqual([late, early]);
    });

    test('keeps head, client rows and the way on', async () => {
      await snapshotAt(10);
      expect(await log.prune('novel', 10, 100)).toBe(10);
      expect(await log.head('novel')).toEqual({ epoch: 1, ...markOf(nth(entries, 9)) });
      expect(await log.tagAt('novel', 10)).toBe(nth(entries, 9).tag);
      expect(await log.tagAt('novel', 9)).toBeNull();
      expect(await log.clientRow('novel', 'client-1')).toMatchObject({ clientSeq: 10 });
      const next = entryAfter({ after: markOf(nth(entries, 9)) });
      expect(await save('novel', 1, [nth(entries, 9), next])).toEqual({ status: 'saved', head: markOf(next) });
      expect(await log.readAfter('novel', 10, 1_000)).toEqual([next]);
    });

    test('of a long history removes all of it', async () => {
      await openedSession(store.one, 'long');
      const long = chain(2_500);
      await save('long', 1, long);
      await store.one.snapshots.put('long', { at: markOf(nth(long, 2_499)), payload: Uint8Array.of(1) });
      expect(await log.prune('long', 2_400, Number.MAX_SAFE_INTEGER)).toBe(2_400);
      expect(await storedEntries(store.one, 'long')).toEqual(long.slice(2_400));
    });
  });

  describe('two writers', () => {
    /** What a writer may do next; `back` reaches that far behind its own tail, to send again what it sent before. */
    const steps = fc.array(
      fc.record({
        writer: fc.constantFrom(0, 1),
        act: fc.constantFrom('open', 'save', 'save', 'save', 'forge'),
        length: fc.integer({ min: 1, max: 4 }),
        back: fc.integer({ min: 0, max: 3 }),
        isAwaited: fc.boolean(),
      }),
      { minLength: 5, maxLength: 40 },
    );

    test('[ST1] [ST2] with interleaved epochs and saves never leave a history that is not one dense chain', async () => {
      let run = 0;
      let fenced = 0;
      let diverged = 0;
      await fc.assert(
        fc.asyncProperty(steps, async (schedule) => {
          const sessionId = `random-${(run += 1)}`;
          await openedSession(store.one, sessionId);
          const acknowledged: Mark[] = [];
          const writers = [log, other].map((node, index) => ({ node, index, epoch: 0, tail: [] as Entry[] }));
          const pending: Array<Promise<void>> = [];
          const act = async ({ writer, act: name, length, back }: (typeof schedule)[number]) => {
            const me = nth(writers, writer);
            if (name === 'open') {
              const seen = (await me.node.head(sessionId))?.epoch ?? 0;
              const opened = await me.node.openEpoch(sessionId, seen, 0);
              if (!opened) return;
              me.epoch = opened.epoch;
              me.tail = [...(await storedEntries(store.one, sessionId))].filter(({ seq }) => seq <= opened.seq);
              return;
            }
            const last = me.tail.at(-1);
            const before = name === 'forge' ? { seq: (last?.seq ?? 0) + 1, tag: '' } : last ? markOf(last) : GENESIS;
            const fresh = chain(length, {
              after: before,
              clientId: `writer-${me.index}`,
              epoch: me.epoch,
              count: length,
            });
            const entries = [...me.tail.slice(Math.max(0, me.tail.length - back)), ...fresh];
            if (name === 'save') me.tail.push(...fresh);
            const [result] = await me.node.save([{ sessionId, epoch: me.epoch, entries }]);
            if (result?.status === 'saved') acknowledged.push(markOf(nth(entries, -1)));
            if (result?.status === 'fenced') fenced += 1;
            if (result?.status === 'diverged') diverged += 1;
          };
          for (const step of schedule) {
            const done = act(step);
            if (step.isAwaited) await done;
            else pending.push(done);
          }
          await Promise.all(pending);

          const history = await storedEntries(store.one, sessionId);
          let at: Mark = GENESIS;
          for (const entry of history) {
            expect(markBefore(entry)).toEqual(at);
            expect(entryAfter({ after: at, ...entry })).toEqual(entry);
            at = markOf(entry);
          }
          expect(await other.head(sessionId)).toMatchObject(at);
          for (const mark of acknowledged) expect(history.some((entry) => isSameMark(markOf(entry), mark))).toBe(true);
          for (const { clientId } of history) {
            const ofClient = history.filter((entry) => entry.clientId === clientId);
            expect(await log.clientRow(sessionId, clientId)).toMatchObject(markOf(nth(ofClient, -1)));
          }
          expect(history.every((entry) => prevSeqOf(entry) >= 0)).toBe(true);
        }),
        { numRuns: 60, seed: 20_260_101 },
      );
      // The schedules are only worth something if both refusals really happened.
      expect(fenced).toBeGreaterThan(20);
      expect(diverged).toBeGreaterThan(20);
    });
  });
}
