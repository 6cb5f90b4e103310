import { markOf, type Entry } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import type { SessionRecords } from '../../src/storage/session-records';
import { chain, entryAfter } from '../support/entries';
import { nth, openedSession, sessionRecord, storedEntries, type SharedStore } from '../support/stores';

/** What every keeper of session records promises. */
export function sessionRecordsContract(openStore: () => Promise<SharedStore>): void {
  let store: SharedStore;
  let records: SessionRecords;
  let other: SessionRecords;

  beforeEach(async () => {
    store = await openStore();
    records = store.one.sessionRecords;
    other = store.other.sessionRecords;
  });
  afterEach(() => store.close());

  const listedIds = async (query: Parameters<SessionRecords['list']>[0]): Promise<string[]> =>
    (await other.list(query)).map(({ sessionId }) => sessionId);

  describe('a record', () => {
    test('is there with every field for every node when it was created', async () => {
      const record = sessionRecord('novel', {
        title: 'Moby Dick \u0000 😀',
        createdBy: 'Herman \u0000 ü',
        format: 'json',
      });
      expect(await records.create(record)).toBe(true);
      expect(await other.get('novel')).toEqual(record);
      expect(await records.get('nowhere')).toBeNull();
    });

    test('[ST1] comes with an empty history in epoch 0', async () => {
      await records.create(sessionRecord('novel'));
      expect(await store.other.operationLog.head('novel')).toEqual({ epoch: 0, ...GENESIS });
    });

    test('is made once: the second of the same id changes nothing', async () => {
      await records.create(sessionRecord('novel', { title: 'first' }));
      expect(await other.create(sessionRecord('novel', { title: 'second' }))).toBe(false);
      expect(await records.get('novel')).toMatchObject({ title: 'first' });
    });

    test('is made once, also when two ask at the same time', async () => {
      const answers = await Promise.all(
        [records, other].map((node, index) => node.create(sessionRecord('novel', { title: `by ${index}` }))),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await records.get('novel')).toMatchObject({ title: `by ${answers.indexOf(true)}` });
    });

    test('changes in the given fields only', async () => {
      const record = sessionRecord('novel');
      await records.create(record);
      const renamed = { ...record, title: 'The Whale', updatedAt: record.updatedAt + 1 };
      expect(await other.update('novel', { title: renamed.title, updatedAt: renamed.updatedAt })).toEqual(renamed);
      expect(await records.get('novel')).toEqual(renamed);
      expect(await records.update('nowhere', { title: 'x' })).toBeNull();
      expect(await records.get('nowhere')).toBeNull();
    });

    test('that is closed keeps its id and its history, but is no longer listed', async () => {
      await openedSession(store.one, 'novel');
      const entries = chain(2);
      await store.one.operationLog.save([{ sessionId: 'novel', epoch: 1, entries }]);
      await records.update('novel', { closedAt: 1_700_000_000_500, updatedAt: 1_700_000_000_500 });
      expect(await other.get('novel')).toMatchObject({ closedAt: 1_700_000_000_500 });
      expect(await listedIds({ limit: 10 })).toEqual([]);
      expect(await listedIds({ limit: 10, userId: 'alice' })).toEqual([]);
      expect(await other.create(sessionRecord('novel'))).toBe(false);
      expect(await storedEntries(store.other, 'novel')).toEqual(entries);
    });
  });

  describe('a list', () => {
    const ids = ['-', '.', '0', 'A', 'B', '_', 'a', 'a-b', 'a.b', 'aa', 'b', 'b'.repeat(128), '~'];

    beforeEach(async () => {
      for (const [index, id] of ids.toReversed().entries()) {
        await records.create(sessionRecord(id, { createdBy: index % 3 === 0 ? 'alice' : 'bob' }));
      }
    });

    test('has all open sessions in order of their ids', async () => {
      expect(await listedIds({ limit: 100 })).toEqual(ids);
      expect((await records.list({ limit: 1 }))[0]).toEqual(sessionRecord('-', { createdBy: 'alice' }));
    });

    test('goes page by page, and skips nothing when the last one listed was closed meanwhile', async () => {
      const listed: string[] = [];
      for (let page = await listedIds({ limit: 4 }); page.length > 0; ) {
        listed.push(...page);
        await records.update(nth(page, -1), { closedAt: 1 });
        page = await listedIds({ after: nth(page, -1), limit: 4 });
      }
      expect(listed).toEqual(ids);
    });

    test('is of one user when asked: of those with a role in it, and so of its creator', async () => {
      const ofAlice = (await records.list({ limit: 100 })).filter(({ createdBy }) => createdBy === 'alice');
      expect(await records.list({ limit: 100, userId: 'alice' })).toEqual(ofAlice);
      expect(await records.list({ limit: 2, after: '.', userId: 'alice' })).toEqual(ofAlice.slice(1, 3));
      expect(ofAlice).toHaveLength(5);
      expect(await listedIds({ limit: 100, userId: 'nobody' })).toEqual([]);
      expect(await listedIds({ limit: 100, userId: '' })).toEqual([]);
    });

    test('takes creators of any name', async () => {
      const names = ['x'.repeat(5_000), 'nul \u0000', 'ü 😀', '', '*'];
      for (const [index, createdBy] of names.entries())
        await records.create(sessionRecord(`odd-${index}`, { createdBy }));
      for (const [index, createdBy] of names.entries()) {
        expect(await listedIds({ limit: 10, userId: createdBy })).toEqual([`odd-${index}`]);
      }
    });
  });

  describe('a copy', () => {
    beforeEach(() => openedSession(store.one, 'novel'));
    const save = (sessionId: string, epoch: number, entries: readonly Entry[]) =>
      store.one.operationLog.save([{ sessionId, epoch, entries }]);

    test('holds the entries of its source with their tags, and goes on from there by itself', async () => {
      await store.one.operationLog.openEpoch('novel', 1, 6);
      const entries = chain(5, { epoch: 7 });
      await save('novel', 7, entries);
      expect(await records.copy('novel', sessionRecord('sequel', { createdBy: 'bob' }))).toBe(true);

      expect(await other.get('sequel')).toEqual(sessionRecord('sequel', { createdBy: 'bob' }));
      expect(await listedIds({ limit: 10, userId: 'bob' })).toEqual(['sequel']);
      expect(await store.other.operationLog.head('sequel')).toEqual({ epoch: 1, ...markOf(nth(entries, -1)) });
      // No entry of the copy is from a later epoch than the copy has seen.
      expect(await storedEntries(store.other, 'sequel')).toEqual(entries.map((entry) => ({ ...entry, epoch: 1 })));

      const next = entryAfter({ after: markOf(nth(entries, -1)) });
      expect(await save('sequel', 1, [next])).toEqual([{ status: 'saved', head: markOf(next) }]);
      expect(await store.one.operationLog.head('novel')).toMatchObject(markOf(nth(entries, -1)));
      expect(await storedEntries(store.one, 'novel')).toEqual(entries);
    });

    test('holds the latest snapshot and only the entries after it', async () => {
      const entries = chain(6);
      await save('novel', 1, entries);
      const snapshot = { at: markOf(nth(entries, 3)), payload: Uint8Array.of(1, 2, 3) };
      await store.one.snapshots.put('novel', snapshot);
      await records.copy('novel', sessionRecord('sequel'));
      const copied = await store.other.snapshots.latest('sequel');
      expect(copied?.at).toEqual(snapshot.at);
      expect([...(copied?.payload ?? [])]).toEqual([1, 2, 3]);
      expect(await storedEntries(store.one, 'sequel')).toEqual(entries.slice(4));
      expect(await store.one.operationLog.tagAt('sequel', 4)).toBe(snapshot.at.tag);
    });

    test('of a source whose entries are all in the snapshot can be written on', async () => {
      const entries = chain(3);
      await save('novel', 1, entries);
      await store.one.snapshots.put('novel', { at: markOf(nth(entries, 2)), payload: Uint8Array.of(9) });
      await records.copy('novel', sessionRecord('sequel'));
      expect(await storedEntries(store.one, 'sequel')).toEqual([]);
      const next = entryAfter({ after: markOf(nth(entries, 2)) });
      expect(await save('sequel', 1, [next])).toEqual([{ status: 'saved', head: markOf(next) }]);
      expect(await store.one.operationLog.readAfter('sequel', 3, 1_000)).toEqual([next]);
    });

    test('of an empty session is one', async () => {
      await records.copy('novel', sessionRecord('sequel'));
      expect(await store.one.operationLog.head('sequel')).toEqual({ epoch: 1, ...GENESIS });
      expect(await store.one.snapshots.latest('sequel')).toBeNull();
    });

    test('knows none of the clients of its source: their ids are signed for that session', async () => {
      await save('novel', 1, chain(2));
      await records.copy('novel', sessionRecord('sequel'));
      expect(await store.one.operationLog.clientRow('sequel', 'client-1')).toBeNull();
    });

    test('does not take an id that is taken, nor copy what is not there', async () => {
      await save('novel', 1, chain(2));
      await openedSession(store.one, 'sequel');
      expect(await records.copy('novel', sessionRecord('sequel', { title: 'other' }))).toBe(false);
      expect(await records.get('sequel')).toMatchObject({ title: 'About sequel' });
      expect(await storedEntries(store.one, 'sequel')).toEqual([]);
      await expect(records.copy('nowhere', sessionRecord('elsewhere'))).rejects.toMatchObject({
        code: 'SESSION_NOT_FOUND',
      });
      expect(await records.get('elsewhere')).toBeNull();
    });

    test('of a long history is whole, while its source is written on and others ask for the same id', async () => {
      const entries = chain(3_500);
      await save('novel', 1, entries);
      const next = entryAfter({ after: markOf(nth(entries, -1)) });
      const [first, second, saved] = await Promise.all([
        records.copy('novel', sessionRecord('sequel')),
        other.copy('novel', sessionRecord('sequel')),
        save('novel', 1, [next]),
      ]);
      expect([first, second].filter(Boolean)).toHaveLength(1);
      expect(saved).toEqual([{ status: 'saved', head: markOf(next) }]);
      const copied = await storedEntries(store.one, 'sequel');
      expect([...entries, next].slice(0, copied.length)).toEqual(copied);
      expect(copied.length).toBeGreaterThanOrEqual(entries.length);
      expect(await store.one.operationLog.head('sequel')).toEqual({ epoch: 1, ...markOf(nth(copied, -1)) });
    });
  });
}
