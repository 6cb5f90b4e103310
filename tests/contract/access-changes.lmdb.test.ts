import { rm } from 'node:fs/promises';
import { lmdbStore, lmdbStoreOfTwoProcesses, temporaryDirectory } from '../support/stores';
import { accessChangesContract } from './access-changes.contract';

describe('AccessChanges on lmdb', () => {
  accessChangesContract(lmdbStoreOfTwoProcesses());
});

test('on lmdb changes and their numbers outlive the process, and many are pruned piece by piece', async () => {
  const directory = await temporaryDirectory();
  const first = lmdbStore(directory);
  await first.start();
  await Promise.all(
    Array.from({ length: 2_500 }, (_, index) =>
      first.accessChanges.append({ kind: 'role', sessionId: 'novel', userId: null }, index),
    ),
  );
  await first.stop();
  const second = lmdbStore(directory);
  await second.start();
  await second.accessChanges.prune(2_400);
  const kept = await second.accessChanges.after(0, 10_000);
  expect(kept.map(({ at }) => at)).toEqual(Array.from({ length: 100 }, (_, index) => 2_400 + index));
  expect(kept.at(-1)?.number).toBe(2_500);
  await second.stop();
  await rm(directory, { recursive: true });
});
