import { markOf } from '../../src/protocol/entry';
import { GENESIS } from '../../src/protocol/positions';
import { chain, entryAfter } from '../support/entries';
import { nth, openedSession, lmdbStoreOfTwoProcesses, storedEntries } from '../support/stores';
import { operationLogContract } from './operation-log.contract';

describe('OperationLog on lmdb', () => {
  operationLogContract(lmdbStoreOfTwoProcesses());
});

describe('OperationLog on lmdb only', () => {
  const openStore = lmdbStoreOfTwoProcesses();

  test('[ST2] [ST6] a save that the engine cannot take fails as a whole, and alone', async () => {
    const { one, close } = await openStore();
    for (const sessionId of ['novel', 'poem', 'play']) await openedSession(one, sessionId);
    const good = chain(3);
    // Longer than a key of LMDB may be, so writing fails after entries of the same save have been written.
    const bad = [nth(good, 0), entryAfter({ after: markOf(nth(good, 0)), clientId: 'x'.repeat(5_000) })];
    const outcomes = await Promise.allSettled([
      one.operationLog.save([{ sessionId: 'novel', epoch: 1, entries: good }]),
      one.operationLog.save([
        { sessionId: 'poem', epoch: 1, entries: good },
        { sessionId: 'play', epoch: 1, entries: bad },
      ]),
      one.operationLog.openEpoch('play', 1, 0),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: [{ status: 'saved', head: markOf(nth(good, 2)) }] },
      { status: 'rejected', reason: { code: 'STORE_UNAVAILABLE', cause: expect.anything() } },
      { status: 'fulfilled', value: { epoch: 2, ...GENESIS } },
    ]);
    expect(await storedEntries(one, 'novel')).toEqual(good);
    expect(await storedEntries(one, 'poem')).toEqual([]);
    expect(await storedEntries(one, 'play')).toEqual([]);
    await close();
  });
});
