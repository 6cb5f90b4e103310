import type { QueueRecord, QueueStorage } from '../../src/client/stored-queue';

export const record = (...pending: unknown[]): QueueRecord => ({
  version: 1,
  client: { clientId: 'client-1', signature: 'signed' },
  after: { seq: 3, tag: '0123456789abcdef' },
  batches: [{ clientId: 'client-1', clientSeq: 4, base: null, operations: ['AAA=', { deep: [1, null, 'ä😀'] }] }],
  pending,
});

/** What every storage of queues promises. `reopen`: the same storage as a page finds it that comes again. */
export function queueStorageContract(
  open: () => QueueStorage & { keys: readonly string[] | (() => Promise<string[]>) },
  reopen: (storage: QueueStorage) => Promise<QueueStorage>,
): void {
  let storage: ReturnType<typeof open>;
  beforeEach(() => {
    storage = open();
  });

  const keysOf = async (): Promise<string[]> => {
    const { keys } = storage;
    return [...(typeof keys === 'function' ? await keys.call(storage) : keys)].toSorted();
  };

  test('there is nothing at first, and taking it away is no fault', async () => {
    expect(await storage.load('novel/0')).toBeNull();
    await storage.clear('novel/0');
    expect(await keysOf()).toEqual([]);
  });

  test('[CL4] what was saved is there, also for a page that comes again, until it is cleared', async () => {
    await storage.save('novel/0', record('a'));
    expect(await storage.load('novel/0')).toEqual(record('a'));
    const again = await reopen(storage);
    expect(await again.load('novel/0')).toEqual(record('a'));
    await again.clear('novel/0');
    expect(await again.load('novel/0')).toBeNull();
  });

  test('the last one saved under a key replaces the others; every key has its own', async () => {
    await Promise.all([
      storage.save('novel/0', record('a')),
      storage.save('novel/1', record('b')),
      storage.save('novel/0', record('a', 'c')),
    ]);
    expect(await storage.load('novel/0')).toEqual(record('a', 'c'));
    expect(await storage.load('novel/1')).toEqual(record('b'));
    expect(await keysOf()).toEqual(['novel/0', 'novel/1']);
  });

  test('what is done to a record after it was saved or loaded changes nothing', async () => {
    const pending = ['a'];
    const saved = storage.save('novel/0', { ...record(), pending });
    pending.push('b');
    await saved;
    const loaded = await storage.load('novel/0');
    expect(loaded?.pending).toEqual(['a']);
    if (loaded) (loaded.pending as string[]).push('b');
    expect((await storage.load('novel/0'))?.pending).toEqual(['a']);
  });

  test('a queue of megabytes comes back as it was', async () => {
    const large = record(...Array.from({ length: 2_000 }, (_, index) => `${index} ${'x'.repeat(1_000)}`));
    await storage.save('novel/0', large);
    expect(await storage.load('novel/0')).toEqual(large);
  });
}
