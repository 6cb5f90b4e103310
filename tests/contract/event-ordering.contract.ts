import fc from 'fast-check';
import type { AppendResult, EventOrdering, Hint, Submission } from '../../src/ordering/event-ordering';
import { entryTag } from '../../src/ordering/tag';
import { markOf, prevSeqOf, type ClientRow, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import { eventually } from '../support/eventually';
import { OrderingModel } from '../support/ordering-model';

/** Two instances on one backend; the same object twice where nothing is shared. */
export interface OrderingNodes {
  readonly one: EventOrdering;
  readonly other: EventOrdering;
  stop(): Promise<void>;
}

const PLENTY_BYTES = 1_048_576;

/** What every event ordering promises. `start` is called once; sessions have names of their own in every test. */
export function eventOrderingContract(backend: string, start: () => Promise<OrderingNodes>): void {
  describe(`event ordering on ${backend}`, () => {
    let nodes: OrderingNodes;
    let one: EventOrdering;
    let other: EventOrdering;
    let sessionCount = 0;

    beforeAll(async () => {
      nodes = await start();
      ({ one, other } = nodes);
    });

    afterAll(() => nodes.stop());

    /** A session with an empty hot log at epoch 1, and these clients admitted as new ones. */
    async function begin(...clientIds: string[]): Promise<string> {
      sessionCount += 1;
      const sessionId = `session-${sessionCount}`;
      expect(await one.seed(sessionId, 1, GENESIS)).toBe(true);
      for (const clientId of clientIds)
        expect(await one.admit(sessionId, 1, clientId, null)).toEqual({ lastClientSeq: 0, seq: 0 });
      return sessionId;
    }

    const batch = (clientId: string, firstClientSeq: number, ...operations: unknown[]): Submission => ({
      epoch: 1,
      clientId,
      userId: `user of ${clientId}`,
      firstClientSeq,
      count: operations.length,
      operations: JSON.stringify(operations),
    });

    async function accepted(sessionId: string, submission: Submission): Promise<Entry> {
      const result = await one.append(sessionId, submission);
      if (result.status !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(result)}`);
      return result.entry;
    }

    const entriesOf = async (sessionId: string): Promise<readonly Entry[]> =>
      (await other.read(sessionId, 0, PLENTY_BYTES))?.entries ?? [];

    const headOf = async (sessionId: string): Promise<Mark | undefined> => (await other.describe([sessionId]))[0]?.head;

    /** What must not change when a submission is refused. */
    const stateOf = async (sessionId: string) => ({
      log: (await other.describe([sessionId]))[0],
      entries: await entriesOf(sessionId),
    });

    async function expectRefused(sessionId: string, submission: Submission, refusal: AppendResult): Promise<void> {
      const before = await stateOf(sessionId);
      expect(await one.append(sessionId, submission)).toEqual(refusal);
      expect(await stateOf(sessionId)).toEqual(before);
    }

    describe('one order', () => {
      test('[EO1] the first operation has seq 1 and a batch of n takes n numbers as one entry', async () => {
        const sessionId = await begin('a', 'b');
        const first = await accepted(sessionId, batch('a', 1, 'x'));
        const second = await accepted(sessionId, batch('b', 1, 'p', 'q', 'r'));
        const third = await accepted(sessionId, batch('a', 2, 'y'));
        expect([first, second, third].map(({ seq, count }) => [seq, count])).toEqual([
          [1, 1],
          [4, 3],
          [5, 1],
        ]);
        expect(await entriesOf(sessionId)).toEqual([first, second, third]);
        expect(await headOf(sessionId)).toEqual(markOf(third));
      });

      test('[EO1] an entry says who wrote it, its last clientSeq, its epoch, and the operations as they came', async () => {
        const sessionId = await begin('a');
        await accepted(sessionId, batch('a', 1, 0));
        const operations = [
          { insert: 'é\u2028\u0000"\\', at: 1.5 },
          null,
          ['nested', { deep: [true] }],
          '\ud83d\ude00',
        ];
        const entry = await accepted(sessionId, batch('a', 2, ...operations));
        expect(entry).toMatchObject({ epoch: 1, clientId: 'a', clientSeq: 5, userId: 'user of a', seq: 5, count: 4 });
        expect(entry.operations).toBe(JSON.stringify(operations));
        expect((await entriesOf(sessionId))[1]).toEqual(entry);
        expect(Number.isInteger(entry.at)).toBe(true);
      });

      test('[EO1] every entry carries the tag of the history it ends, chained over the one before', async () => {
        const sessionId = await begin('a', 'b');
        await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await accepted(sessionId, batch('b', 1, 'z'));
        await accepted(sessionId, batch('a', 3, 'ü'));
        let prevTag = '';
        for (const entry of await entriesOf(sessionId)) {
          expect(entry.prevTag).toBe(prevTag);
          expect(entry.tag).toBe(entryTag({ ...entry, prevTag }));
          prevTag = entry.tag;
        }
      });

      test('[EO1] sessions count for themselves', async () => {
        const [left, right] = [await begin('a'), await begin('a')];
        await accepted(left, batch('a', 1, 'x', 'y'));
        expect((await accepted(right, batch('a', 1, 'x'))).seq).toBe(1);
      });

      test('[EO6] batches that arrive together on both instances get one order without holes', async () => {
        const clientIds = ['a', 'b', 'c', 'd'];
        const sessionId = await begin(...clientIds);
        const perClient = 25;
        const results = await Promise.all(
          clientIds.map(async (clientId, index) => {
            const node = index % 2 === 0 ? one : other;
            const statuses: string[] = [];
            for (let clientSeq = 1; clientSeq < 2 * perClient; clientSeq += 2) {
              // Sent twice at once: only one of the two may count.
              const twice = [batch(clientId, clientSeq, 'x', 'y'), batch(clientId, clientSeq, 'x', 'y')];
              const both = await Promise.all(twice.map((submission) => node.append(sessionId, submission)));
              statuses.push(...both.map(({ status }) => status).sort());
            }
            return statuses;
          }),
        );
        for (const statuses of results) {
          expect(statuses).toEqual(Array.from({ length: perClient }, () => ['accepted', 'duplicate']).flat());
        }
        const entries = await entriesOf(sessionId);
        expect(entries.map(({ seq }) => seq)).toEqual(
          Array.from({ length: entries.length }, (_, index) => 2 * index + 2),
        );
        expect(entries).toHaveLength(clientIds.length * perClient);
        for (const clientId of clientIds) {
          const own = entries.filter((entry) => entry.clientId === clientId).map(({ clientSeq }) => clientSeq);
          expect(own).toEqual(Array.from({ length: perClient }, (_, index) => 2 * index + 2));
        }
      });
    });

    describe('exactly once', () => {
      test('[EO2] a resent batch answers with its original position', async () => {
        const sessionId = await begin('a', 'b');
        const first = await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await accepted(sessionId, batch('b', 1, 'z'));
        await expectRefused(sessionId, batch('a', 1, 'x', 'y'), { status: 'duplicate', epoch: 1, seq: first.seq });
      });

      test('[EO2] a batch from before the last one answers with the last accepted position of its client', async () => {
        const sessionId = await begin('a', 'b');
        await accepted(sessionId, batch('a', 1, 'x'));
        const last = await accepted(sessionId, batch('a', 2, 'y'));
        await accepted(sessionId, batch('b', 1, 'z'));
        await expectRefused(sessionId, batch('a', 1, 'x'), { status: 'duplicate', epoch: 1, seq: last.seq });
      });

      test('[EO2] a part of the last batch is a duplicate too', async () => {
        const sessionId = await begin('a');
        const last = await accepted(sessionId, batch('a', 1, 'x', 'y', 'z'));
        const duplicate: AppendResult = { status: 'duplicate', epoch: 1, seq: last.seq };
        await expectRefused(sessionId, batch('a', 1, 'x', 'y'), duplicate);
        await expectRefused(sessionId, batch('a', 3, 'z'), duplicate);
      });

      test('[EO2] a duplicate is one whatever its base says', async () => {
        const sessionId = await begin('a');
        const first = await accepted(sessionId, { ...batch('a', 1, 'x'), base: GENESIS });
        await expectRefused(
          sessionId,
          { ...batch('a', 1, 'x'), base: GENESIS },
          { status: 'duplicate', epoch: 1, seq: first.seq },
        );
      });

      test('[EO2] the last batch with other content is a conflict', async () => {
        const sessionId = await begin('a', 'b');
        await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await accepted(sessionId, batch('b', 1, 'z'));
        await expectRefused(sessionId, batch('a', 1, 'x', 'Y'), { status: 'conflict' });
        await expectRefused(sessionId, batch('a', 1, 'x', 'y '), { status: 'conflict' });
      });

      test('[EO2] the same content of two clients is two operations', async () => {
        const sessionId = await begin('a', 'b');
        await accepted(sessionId, batch('a', 1, 'x'));
        expect((await accepted(sessionId, batch('b', 1, 'x'))).seq).toBe(2);
      });

      test('[EO3] a batch that leaves some out is a gap and says what is expected', async () => {
        const sessionId = await begin('a');
        await expectRefused(sessionId, batch('a', 2, 'x'), { status: 'gap', expectedClientSeq: 1 });
        await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await expectRefused(sessionId, batch('a', 4, 'z'), { status: 'gap', expectedClientSeq: 3 });
        await expectRefused(sessionId, batch('a', 9_007_199_253_000_000, 'z'), { status: 'gap', expectedClientSeq: 3 });
      });

      test('[EO3] a batch that begins inside the accepted ones and ends outside is a gap', async () => {
        const sessionId = await begin('a');
        await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await expectRefused(sessionId, batch('a', 2, 'y', 'z'), { status: 'gap', expectedClientSeq: 3 });
        await expectRefused(sessionId, batch('a', 1, 'x', 'y', 'z'), { status: 'gap', expectedClientSeq: 3 });
        expect((await accepted(sessionId, batch('a', 3, 'z'))).seq).toBe(3);
      });
    });

    describe('base, epoch, existence', () => {
      test('[EO4] a base that is the head is accepted, any other is stale and learns the head', async () => {
        const sessionId = await begin('a', 'b');
        const first = await accepted(sessionId, { ...batch('a', 1, 'x'), base: GENESIS });
        const head = markOf(first);
        const stale: AppendResult = { status: 'stale-base', head };
        await expectRefused(sessionId, { ...batch('b', 1, 'y'), base: GENESIS }, stale);
        await expectRefused(sessionId, { ...batch('b', 1, 'y'), base: { ...head, tag: '0123456789abcdef' } }, stale);
        await expectRefused(sessionId, { ...batch('b', 1, 'y'), base: { ...head, seq: head.seq + 1 } }, stale);
        expect((await accepted(sessionId, { ...batch('b', 1, 'y'), base: head })).seq).toBe(2);
      });

      test('[EO4] of two batches on one base one wins', async () => {
        const sessionId = await begin('a', 'b');
        const results = await Promise.all([
          one.append(sessionId, { ...batch('a', 1, 'x'), base: GENESIS }),
          other.append(sessionId, { ...batch('b', 1, 'y'), base: GENESIS }),
        ]);
        expect(results.map((result) => result.status).sort()).toEqual(['accepted', 'stale-base']);
      });

      test('[EO5] a refusal consumes no clientSeq: the same number is accepted afterwards', async () => {
        const sessionId = await begin('a');
        await one.append(sessionId, batch('a', 2, 'too early'));
        await one.append(sessionId, { ...batch('a', 1, 'stale'), base: { seq: 7, tag: '0123456789abcdef' } });
        await one.append(sessionId, { ...batch('a', 1, 'other epoch'), epoch: 2 });
        const entry = await accepted(sessionId, batch('a', 1, 'x'));
        expect(entry).toMatchObject({ seq: 1, clientSeq: 1, prevTag: '' });
        expect(await entriesOf(sessionId)).toEqual([entry]);
      });

      test('[EO7] an append under another epoch than the hot log is refused, older or newer', async () => {
        const sessionId = await begin('a');
        await one.seed(sessionId, 5, GENESIS);
        await one.admit(sessionId, 5, 'a', null);
        for (const epoch of [1, 4, 6]) {
          await expectRefused(sessionId, { ...batch('a', 1, 'x'), epoch }, { status: 'wrong-epoch' });
        }
        expect(await one.append(sessionId, { ...batch('a', 1, 'x'), epoch: 5 })).toMatchObject({ status: 'accepted' });
      });

      test('[EO9] an append makes no session', async () => {
        const sessionId = 'nobody-made-this';
        expect(await one.append(sessionId, batch('a', 1, 'x'))).toEqual({ status: 'wrong-epoch' });
        expect(await one.admit(sessionId, 1, 'a', null)).toBe('wrong-epoch');
        expect(await other.describe([sessionId])).toEqual([null]);
        expect(await other.read(sessionId, 0, PLENTY_BYTES)).toBeNull();
      });

      test('an answer about many sessions keeps the order asked', async () => {
        const [left, right] = [await begin('a'), await begin('b')];
        const entry = await accepted(right, batch('b', 1, 'x'));
        const logs = await other.describe([right, 'nobody-made-this', left, right]);
        expect(logs.map((log) => log?.head ?? null)).toEqual([markOf(entry), null, GENESIS, markOf(entry)]);
        expect(await other.describe([])).toEqual([]);
      });
    });

    describe('clients', () => {
      test('[EO11] a client nobody admitted is unknown, and consumes nothing', async () => {
        const sessionId = await begin('a');
        await expectRefused(sessionId, batch('stranger', 1, 'x'), { status: 'client-unknown' });
        expect(await one.admit(sessionId, 1, 'stranger', null)).toEqual({ lastClientSeq: 0, seq: 0 });
        expect(await one.append(sessionId, batch('stranger', 1, 'x'))).toMatchObject({ status: 'accepted' });
      });

      test('[EO11] a row from the store makes a client known with everything it did before', async () => {
        const sessionId = await begin('a');
        const last = await accepted(sessionId, batch('a', 1, 'x', 'y'));
        const row: ClientRow = last;
        await one.seed(sessionId, 2, markOf(last));
        const again = { ...batch('a', 1, 'x', 'y'), epoch: 2 };
        expect(await one.append(sessionId, again)).toEqual({ status: 'client-unknown' });
        expect(await one.admit(sessionId, 2, 'a', rowOf(row))).toEqual({ lastClientSeq: 2, seq: 2 });
        expect(await one.append(sessionId, again)).toEqual({ status: 'duplicate', epoch: 2, seq: 2 });
        expect(await one.append(sessionId, { ...batch('a', 1, 'x', 'Y'), epoch: 2 })).toEqual({ status: 'conflict' });
        expect(await one.append(sessionId, { ...batch('a', 4, 'z'), epoch: 2 })).toEqual({
          status: 'gap',
          expectedClientSeq: 3,
        });
        expect(await one.append(sessionId, { ...batch('a', 3, 'z'), epoch: 2 })).toMatchObject({
          status: 'accepted',
          entry: { epoch: 2, seq: 3, prevTag: last.tag },
        });
      });

      test('[EO11] admitting again keeps the newer row', async () => {
        const sessionId = await begin('a');
        const older = rowOf(await accepted(sessionId, batch('a', 1, 'x')));
        const newer = await accepted(sessionId, batch('a', 2, 'y'));
        expect(await other.admit(sessionId, 1, 'a', older)).toEqual({ lastClientSeq: 2, seq: 2 });
        expect(await other.admit(sessionId, 1, 'a', null)).toEqual({ lastClientSeq: 2, seq: 2 });
        await expectRefused(sessionId, batch('a', 2, 'y'), { status: 'duplicate', epoch: 1, seq: newer.seq });
      });

      test('[EO11] a row from the store replaces the empty one of a client that was taken for new', async () => {
        const sessionId = await begin('a');
        const last = await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await one.seed(sessionId, 2, markOf(last));
        expect(await one.admit(sessionId, 2, 'a', null)).toEqual({ lastClientSeq: 0, seq: 0 });
        expect(await one.admit(sessionId, 2, 'a', rowOf(last))).toEqual({ lastClientSeq: 2, seq: 2 });
        expect(await one.append(sessionId, { ...batch('a', 1, 'x', 'y'), epoch: 2 })).toMatchObject({
          status: 'duplicate',
        });
      });

      test('[EO11] nobody is admitted under another epoch', async () => {
        const sessionId = await begin('a');
        expect(await one.admit(sessionId, 2, 'a', null)).toBe('wrong-epoch');
        expect(await one.admit(sessionId, 0, 'a', null)).toBe('wrong-epoch');
      });
    });

    describe('reading, saved, floor', () => {
      async function withThreeEntries(): Promise<{ sessionId: string; entries: [Entry, Entry, Entry] }> {
        const sessionId = await begin('a');
        const entries: [Entry, Entry, Entry] = [
          await accepted(sessionId, batch('a', 1, 'x', 'y')),
          await accepted(sessionId, batch('a', 3, 'z')),
          await accepted(sessionId, batch('a', 4, 'p', 'q', 'r')),
        ];
        return { sessionId, entries };
      }

      test('[EO8] reading after any position gives every later entry, whole and in order', async () => {
        const { sessionId, entries } = await withThreeEntries();
        for (let after = 0; after <= 6; after += 1) {
          const read = await other.read(sessionId, after, PLENTY_BYTES);
          expect(read?.entries).toEqual(entries.filter(({ seq }) => seq > after));
          expect(read?.log.head).toEqual(markOf(entries[2]));
        }
      });

      test('[EO8] a read is bounded, but never empty while something is there', async () => {
        const { sessionId, entries } = await withThreeEntries();
        expect((await other.read(sessionId, 0, 1))?.entries).toEqual(entries.slice(0, 1));
        expect((await other.read(sessionId, 2, 1))?.entries).toEqual(entries.slice(1, 2));
        expect((await other.read(sessionId, 6, 1))?.entries).toEqual([]);
      });

      test('saved moves up with markSaved, and what is at or below the floor is no longer read', async () => {
        const { sessionId, entries } = await withThreeEntries();
        await one.markSaved(sessionId, { epoch: 1, ...markOf(entries[1]) });
        const read = await other.read(sessionId, 0, PLENTY_BYTES);
        if (!read) throw new Error('no hot log');
        expect(read.log.saved).toEqual(markOf(entries[1]));
        expect(read.log.floor).toBeLessThanOrEqual(3);
        expect(read.entries).toEqual(entries.filter(({ seq }) => seq > read.log.floor));
        expect((await other.read(sessionId, 3, PLENTY_BYTES))?.entries).toEqual([entries[2]]);
      });

      test('[SV2] trimming never passes saved', async () => {
        const { sessionId, entries } = await withThreeEntries();
        await one.markSaved(sessionId, { epoch: 1, ...markOf(entries[0]) });
        expect((await other.describe([sessionId]))[0]?.floor).toBeLessThanOrEqual(2);
        expect((await other.read(sessionId, 2, PLENTY_BYTES))?.entries).toEqual([entries[1], entries[2]]);
      });

      test('saved never moves back, beyond the head, or by word of another epoch', async () => {
        const { sessionId, entries } = await withThreeEntries();
        await one.markSaved(sessionId, { epoch: 1, ...markOf(entries[1]) });
        const before = await stateOf(sessionId);
        await one.markSaved(sessionId, { epoch: 1, ...markOf(entries[0]) });
        await one.markSaved(sessionId, { epoch: 2, ...markOf(entries[2]) });
        await one.markSaved(sessionId, { epoch: 0, ...markOf(entries[2]) });
        await one.markSaved(sessionId, { epoch: 1, seq: 7, tag: '0123456789abcdef' });
        await one.markSaved('nobody-made-this', { epoch: 1, ...markOf(entries[2]) });
        expect(await stateOf(sessionId)).toEqual(before);
      });

      test('[EO2] what is saved and gone from the hot log is still known as a duplicate', async () => {
        const { sessionId, entries } = await withThreeEntries();
        await one.markSaved(sessionId, { epoch: 1, ...markOf(entries[2]) });
        expect(await one.append(sessionId, batch('a', 4, 'p', 'q', 'r'))).toEqual({
          status: 'duplicate',
          epoch: 1,
          seq: 6,
        });
        expect(await one.append(sessionId, batch('a', 4, 'p', 'q', 'R'))).toEqual({ status: 'conflict' });
        expect((await accepted(sessionId, batch('a', 7, 's'))).seq).toBe(7);
      });
    });

    describe('seeding', () => {
      test('[ST4] a seeded log is empty, with head, floor and saved at the given position', async () => {
        const sessionId = 'seeded-here';
        const head: Mark = { seq: 41, tag: '0123456789abcdef' };
        expect(await one.seed(sessionId, 3, head)).toBe(true);
        expect(await other.describe([sessionId])).toEqual([{ epoch: 3, head, saved: head, floor: 41 }]);
        expect((await other.read(sessionId, 0, PLENTY_BYTES))?.entries).toEqual([]);
        await one.admit(sessionId, 3, 'a', null);
        const result = await one.append(sessionId, { ...batch('a', 1, 'x', 'y'), epoch: 3 });
        expect(result).toMatchObject({ status: 'accepted', entry: { seq: 43, prevTag: head.tag, epoch: 3 } });
      });

      test('[ST4] seeding replaces a log only by one of a newer epoch', async () => {
        const sessionId = await begin('a');
        await one.seed(sessionId, 4, GENESIS);
        await one.admit(sessionId, 4, 'a', null);
        await one.append(sessionId, { ...batch('a', 1, 'x'), epoch: 4 });
        const before = await stateOf(sessionId);
        expect(await other.seed(sessionId, 4, { seq: 9, tag: '0123456789abcdef' })).toBe(false);
        expect(await other.seed(sessionId, 3, { seq: 9, tag: '0123456789abcdef' })).toBe(false);
        expect(await stateOf(sessionId)).toEqual(before);
        expect(await other.seed(sessionId, 5, GENESIS)).toBe(true);
        expect(await stateOf(sessionId)).toEqual({
          log: { epoch: 5, head: GENESIS, saved: GENESIS, floor: 0 },
          entries: [],
        });
      });

      test('[ST4] of two who seed one epoch together one succeeds', async () => {
        const sessionId = await begin();
        const both = await Promise.all([one.seed(sessionId, 2, GENESIS), other.seed(sessionId, 2, GENESIS)]);
        expect(both.filter((isSeeded) => isSeeded)).toHaveLength(1);
      });
    });

    describe('following', () => {
      async function listen(sessionId: string): Promise<{ hints: Hint[]; unfollow: () => Promise<void> }> {
        const hints: Hint[] = [];
        const unfollow = await other.follow(sessionId, (hint) => hints.push(hint));
        return { hints, unfollow };
      }

      /** Highest seq a follower has been told of. */
      const toldOf = (hints: readonly Hint[]): number =>
        Math.max(
          0,
          ...hints.map((hint) => (hint.kind === 'entry' ? hint.entry.seq : hint.kind === 'head' ? hint.head.seq : 0)),
        );

      test('[DL2] a follower hears of every accepted entry, whoever appended it', async () => {
        const sessionId = await begin('a', 'b');
        const { hints, unfollow } = await listen(sessionId);
        const first = await accepted(sessionId, batch('a', 1, 'x', 'y'));
        await other.append(sessionId, batch('b', 1, 'z'));
        await eventually('both entries are told of', () => expect(toldOf(hints)).toBe(3));
        expect(hints[0]).toEqual({ kind: 'entry', entry: first });
        await unfollow();
      });

      test('[DL2] refusals and duplicates are no news', async () => {
        const sessionId = await begin('a');
        await accepted(sessionId, batch('a', 1, 'x'));
        const { hints, unfollow } = await listen(sessionId);
        await one.append(sessionId, batch('a', 1, 'x'));
        await one.append(sessionId, batch('a', 1, 'y'));
        await one.append(sessionId, batch('a', 3, 'z'));
        // The fence: what came before it on the same way has been heard when it is heard.
        await accepted(sessionId, batch('a', 2, 'fence'));
        await eventually('the fence is heard', () => expect(toldOf(hints)).toBe(2));
        expect(hints).toHaveLength(1);
        await unfollow();
      });

      test('[SV3] a follower hears how far the session is saved, with epoch, seq and tag', async () => {
        const sessionId = await begin('a');
        const { hints, unfollow } = await listen(sessionId);
        const saved = { epoch: 1, ...markOf(await accepted(sessionId, batch('a', 1, 'x'))) };
        await one.markSaved(sessionId, saved);
        await eventually('saved is heard', () => expect(hints).toContainEqual({ kind: 'saved', saved }));
        await unfollow();
      });

      test('news of one session is not told to another, nor to one who stopped listening', async () => {
        const [left, right] = [await begin('a'), await begin('a')];
        const gone = await listen(left);
        const here = await listen(left);
        const elsewhere = await listen(right);
        await gone.unfollow();
        await gone.unfollow();
        await accepted(left, batch('a', 1, 'x'));
        await eventually('the one who listens hears', () => expect(here.hints).toHaveLength(1));
        expect(gone.hints).toEqual([]);
        expect(elsewhere.hints).toEqual([]);
        await here.unfollow();
        await elsewhere.unfollow();
      });
    });

    describe('release', () => {
      test('[SV2] what is not saved outlives a release where others may save it, and only there', async () => {
        const sessionId = await begin('a');
        const entry = await accepted(sessionId, batch('a', 1, 'x'));
        await one.release(sessionId);
        expect(await entriesOf(sessionId)).toEqual(one.scope === 'shared' ? [entry] : []);
        if (one.scope === 'process') expect(await one.describe([sessionId])).toEqual([null]);
      });

      test('[DL8] a released session can be seeded and used again', async () => {
        const sessionId = await begin('a');
        const entry = await accepted(sessionId, batch('a', 1, 'x'));
        await one.markSaved(sessionId, { epoch: 1, ...markOf(entry) });
        await one.release(sessionId);
        await one.release(sessionId);
        expect(await one.seed(sessionId, 2, markOf(entry))).toBe(true);
        await one.admit(sessionId, 2, 'a', rowOf(entry));
        expect(await one.append(sessionId, { ...batch('a', 2, 'y'), epoch: 2 })).toMatchObject({ status: 'accepted' });
      });
    });

    test('[EO1] [EO2] [EO3] [EO4] [EO5] [EO7] [EO8] any history is the one a simple model makes of it', async () => {
      const step = fc.record({
        kind: fc.constantFrom(
          'next',
          'next',
          'next',
          'resend',
          'older',
          'other-content',
          'gap',
          'straddle',
          'epoch',
          'save',
          'seed',
          'admit',
          'admit',
        ),
        client: fc.nat(2),
        size: fc.integer({ min: 1, max: 4 }),
        text: fc.string({ maxLength: 6 }),
        base: fc.constantFrom('none', 'none', 'head', 'stale'),
        onOther: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
          sessionCount += 1;
          const sessionId = `random-${sessionCount}`;
          const model = new OrderingModel();
          await one.seed(sessionId, model.epoch, model.head);
          for (const { kind, client, size, text, base, onOther } of steps) {
            const node = onOther ? other : one;
            const clientId = `client-${client}`;
            if (kind === 'save') {
              const saved = model.saveSome(size);
              await node.markSaved(sessionId, saved);
            } else if (kind === 'seed') {
              // A new epoch from what the store has: the unsaved end of the history is gone.
              model.reseed();
              expect(await node.seed(sessionId, model.epoch, model.head)).toBe(true);
            } else if (kind === 'admit') {
              expect(await node.admit(sessionId, model.epoch, clientId, model.storedRow(clientId))).toEqual(
                model.admit(clientId),
              );
            } else {
              const submission = model.submission({ kind, clientId, size, text, base });
              const result = await node.append(sessionId, submission);
              expect(forgetTime(result)).toEqual(model.append(submission));
            }
            expect((await other.describe([sessionId]))[0]).toMatchObject({
              epoch: model.epoch,
              head: model.head,
              saved: model.saved,
            });
          }
          const read = await other.read(sessionId, 0, PLENTY_BYTES);
          if (!read) throw new Error('no hot log');
          expect(read.log.floor).toBeLessThanOrEqual(read.log.saved.seq);
          expect(read.entries.map(withoutTime)).toEqual(model.entries.filter(({ seq }) => seq > read.log.floor));
          let seq = read.log.floor;
          for (const entry of read.entries) {
            expect(prevSeqOf(entry)).toBe(seq);
            seq = entry.seq;
          }
          expect(seq).toBe(read.log.head.seq);
        }),
        { numRuns: 150 },
      );
    });
  });
}

const rowOf = ({ clientSeq, seq, count, prevTag, tag }: ClientRow): ClientRow => ({
  clientSeq,
  seq,
  count,
  prevTag,
  tag,
});

const withoutTime = (entry: Entry): Entry => ({ ...entry, at: 0 });

const forgetTime = (result: AppendResult): AppendResult =>
  result.status === 'accepted' ? { ...result, entry: withoutTime(result.entry) } : result;
