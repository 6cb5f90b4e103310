import { markOf, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';
import { chain, entryAfter } from '../support/entries';
import { nth, openedSession, sessionRecord, type SharedStore } from '../support/stores';

/** What every keeper of snapshots promises. */
export function snapshotsContract(openStore: () => Promise<SharedStore>): void {
  let store: SharedStore;
  let entries: readonly Entry[];

  beforeEach(async () => {
    store = await openStore();
    await openedSession(store.one, 'novel');
    const first = entryAfter({ count: 3 });
    entries = [first, ...chain(7, { after: markOf(first) })];
    await store.one.operationLog.save([{ sessionId: 'novel', epoch: 1, entries }]);
  });
  afterEach(() => store.close());

  const put = (at: Mark, payload: Uint8Array) => store.one.snapshots.put('novel', { at, payload });
  const latest = async () => {
    const snapshot = await store.other.snapshots.latest('novel');
    expect(await store.other.snapshots.latestMark('novel')).toEqual(snapshot?.at ?? GENESIS);
    return snapshot && { at: snapshot.at, payload: [...snapshot.payload] };
  };

  test('there is none at first, nor of a session that is not there', async () => {
    expect(await latest()).toBeNull();
    expect(await store.one.snapshots.latest('nowhere')).toBeNull();
    expect(await store.one.snapshots.latestMark('nowhere')).toEqual(GENESIS);
  });

  test('[ST9] the latest replaces the ones before it, byte for byte', async () => {
    expect(await put(markOf(nth(entries, 0)), Uint8Array.of(1))).toBe(true);
    const payload = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    expect(await put(markOf(nth(entries, 4)), payload)).toBe(true);
    expect(await latest()).toEqual({ at: markOf(nth(entries, 4)), payload: [...payload] });
  });

  test('[ST9] one that names no stored position is not kept', async () => {
    const last = nth(entries, -1);
    const wrong: Mark[] = [
      GENESIS,
      { seq: 1, tag: nth(entries, 0).tag },
      { seq: last.seq, tag: nth(entries, 0).tag },
      markOf(entryAfter({ after: markOf(last) })),
    ];
    for (const at of wrong) expect(await put(at, Uint8Array.of(1))).toBe(false);
    expect(await latest()).toBeNull();
    const nowhere = { at: markOf(last), payload: Uint8Array.of(1) };
    expect(await store.one.snapshots.put('nowhere', nowhere)).toBe(false);
    expect(await store.one.sessionRecords.get('nowhere')).toBeNull();
  });

  test('[ST9] one below the latest is not kept; one at the same position replaces it', async () => {
    await put(markOf(nth(entries, 4)), Uint8Array.of(4));
    expect(await put(markOf(nth(entries, 3)), Uint8Array.of(3))).toBe(false);
    expect(await latest()).toEqual({ at: markOf(nth(entries, 4)), payload: [4] });
    expect(await put(markOf(nth(entries, 4)), Uint8Array.of(5))).toBe(true);
    expect(await latest()).toEqual({ at: markOf(nth(entries, 4)), payload: [5] });
  });

  test('keeps its bytes when whoever gave them writes on in the same buffer', async () => {
    const buffer = Buffer.from('before and after');
    await put(markOf(nth(entries, 2)), buffer.subarray(0, 6));
    buffer.fill(0);
    expect(Buffer.from(nth([await latest()], 0)?.payload ?? []).toString()).toBe('before');
  });

  test('stays where it is when entries come after it, a new epoch is opened and what is below is pruned', async () => {
    await put(markOf(nth(entries, 4)), Uint8Array.of(4));
    const next = entryAfter({ after: markOf(nth(entries, -1)) });
    await store.one.operationLog.save([{ sessionId: 'novel', epoch: 1, entries: [next] }]);
    await store.one.operationLog.openEpoch('novel', 1, 0);
    await store.one.operationLog.prune('novel', 7, Number.MAX_SAFE_INTEGER);
    expect(await latest()).toEqual({ at: markOf(nth(entries, 4)), payload: [4] });
    expect(await store.one.operationLog.tagAt('novel', 7)).toBe(nth(entries, 4).tag);
    expect(await put(markOf(next), Uint8Array.of(8))).toBe(true);
  });

  test('of one session is none of another', async () => {
    await put(markOf(nth(entries, 0)), Uint8Array.of(1));
    await store.one.sessionRecords.create(sessionRecord('poem'));
    expect(await store.one.snapshots.latest('poem')).toBeNull();
    expect(await store.one.snapshots.put('poem', { at: markOf(nth(entries, 0)), payload: Uint8Array.of(2) })).toBe(
      false,
    );
  });
}
