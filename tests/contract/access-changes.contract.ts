import type { AccessChange, AccessChanges } from '../../src/storage/access-changes';
import type { SharedStore } from '../support/stores';

/** What every keeper of changes of access promises. */
export function accessChangesContract(openStore: () => Promise<SharedStore>): void {
  let store: SharedStore;
  let changes: AccessChanges;
  let other: AccessChanges;

  beforeEach(async () => {
    store = await openStore();
    changes = store.one.accessChanges;
    other = store.other.accessChanges;
  });
  afterEach(() => store.close());

  const NOW = 1_700_000_000_000;
  const role = (userId: string | null = 'ann'): AccessChange => ({ kind: 'role', sessionId: 'novel', userId });
  const device = (until: number): AccessChange => ({ kind: 'device-revoked', userId: 'ann', deviceId: 'phone', until });
  const numbersAfter = async (number: number, limit = 100): Promise<number[]> =>
    (await other.after(number, limit)).map((change) => change.number);

  test('there is none at first', async () => {
    expect(await other.after(0, 10)).toEqual([]);
    expect(await other.after(7, 10)).toEqual([]);
  });

  test('a change is there for every node, with every field, its number and its time', async () => {
    const all: readonly AccessChange[] = [
      role(null),
      role('Ann \u0000 ü 😀'),
      device(NOW + 5),
      { kind: 'tokens-revoked', userId: 'ann', exceptDeviceId: 'phone', issuedBefore: NOW, until: NOW + 7 },
      { kind: 'tokens-revoked', userId: 'bob', exceptDeviceId: null, issuedBefore: NOW, until: NOW + 7 },
    ];
    for (const [index, change] of all.entries()) expect(await changes.append(change, NOW + index)).toBe(index + 1);
    const expected = all.map((change, index) => ({ number: index + 1, at: NOW + index, change }));
    expect(await other.after(0, 10)).toEqual(expected);
    expect(await changes.after(0, 10)).toEqual(expected);
  });

  test('changes are read in order, after a number, page by page', async () => {
    for (let count = 0; count < 12; count += 1) await changes.append(role(), NOW);
    expect(await numbersAfter(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(await numbersAfter(5, 5)).toEqual([6, 7, 8, 9, 10]);
    expect(await numbersAfter(10, 5)).toEqual([11, 12]);
    expect(await numbersAfter(12)).toEqual([]);
  });

  test('changes of two nodes that come together get one number each, without a hole', async () => {
    const appended = await Promise.all(
      Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? changes : other).append(role(`user-${index}`), NOW)),
    );
    const numbers = appended.map(Number).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(await numbersAfter(0)).toEqual(numbers);
  });

  test('what is over is removed: roles by their age, revocations by their end', async () => {
    await changes.append(role(), NOW);
    await changes.append(device(NOW + 1_000), NOW);
    await changes.append(device(NOW + 100), NOW);
    await changes.append(role(), NOW + 500);
    await changes.prune(NOW + 500);
    expect(await numbersAfter(0)).toEqual([2, 4]);
    await changes.prune(NOW + 5_000);
    expect(await numbersAfter(0)).toEqual([]);
  });

  test('a number that was removed is never given out again', async () => {
    await changes.append(role(), NOW);
    await changes.append(role(), NOW);
    await changes.prune(NOW + 1);
    expect(await other.append(role(), NOW + 2)).toBe(3);
    expect(await numbersAfter(0)).toEqual([3]);
  });
}
