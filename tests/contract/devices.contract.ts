import type { Devices, Sighting } from '../../src/access/devices';

export const TTL_MS = 60_000;

export interface DevicesNodes {
  readonly one: Devices;
  readonly other: Devices;
  /** As if so much time had passed for what is kept. */
  readonly pass: (ms: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What everybody who keeps devices promises. */
export function devicesContract(backend: string, start: () => Promise<DevicesNodes>): void {
  describe(`Devices on ${backend}`, () => {
    let nodes: DevicesNodes;
    beforeEach(async () => {
      nodes = await start();
    });
    afterEach(() => nodes.stop());

    const NOW = 1_700_000_000_000;
    const phone = (fields: Partial<Sighting> = {}): Sighting => ({
      userId: 'ann',
      deviceId: 'phone',
      label: 'Firefox \u0000 ü 😀',
      address: '192.0.2.7',
      at: NOW,
      ...fields,
    });
    const idsOf = async (userId: string): Promise<string[]> =>
      (await nodes.other.list(userId)).map(({ deviceId }) => deviceId);

    test('nobody has one at first', async () => {
      expect(await nodes.one.list('ann')).toEqual([]);
      await nodes.one.forget('ann', ['phone']);
      await nodes.one.forget('ann', []);
    });

    test('one that was seen is there on every node, with every field, for its user alone', async () => {
      await nodes.one.seen(phone());
      const { userId: _, at, ...fields } = phone();
      expect(await nodes.other.list('ann')).toEqual([{ ...fields, firstSeenAt: at, lastSeenAt: at }]);
      expect(await nodes.other.list('an')).toEqual([]);
    });

    test('one that is seen again keeps when it was first seen; the rest is the latest', async () => {
      await nodes.one.seen(phone());
      await nodes.other.seen(phone({ label: 'Chrome', address: '2001:db8::1', at: NOW + 5 }));
      expect(await nodes.one.list('ann')).toEqual([
        { deviceId: 'phone', label: 'Chrome', address: '2001:db8::1', firstSeenAt: NOW, lastSeenAt: NOW + 5 },
      ]);
    });

    test('they are listed with the one seen last first', async () => {
      for (const [index, deviceId] of ['a', 'b', 'c'].entries())
        await nodes.one.seen(phone({ deviceId, at: NOW + index }));
      await nodes.one.seen(phone({ deviceId: 'a', at: NOW + 9 }));
      expect(await idsOf('ann')).toEqual(['a', 'c', 'b']);
    });

    test('one that was not seen for its time to live is gone, and each sighting begins it anew', async () => {
      await nodes.one.seen(phone({ deviceId: 'old' }));
      await nodes.one.seen(phone({ deviceId: 'used' }));
      await nodes.pass(TTL_MS / 2);
      await nodes.one.seen(phone({ deviceId: 'used', at: NOW + TTL_MS / 2 }));
      await nodes.pass(TTL_MS / 2);
      expect(await idsOf('ann')).toEqual(['used']);
      await nodes.pass(TTL_MS / 2);
      expect(await idsOf('ann')).toEqual([]);
    });

    test('those that are forgotten are gone, the others stay', async () => {
      for (const deviceId of ['a', 'b', 'c']) await nodes.one.seen(phone({ deviceId }));
      await nodes.other.forget('ann', ['a', 'c', 'nothing']);
      expect(await idsOf('ann')).toEqual(['b']);
      await nodes.one.seen(phone({ deviceId: 'a', at: NOW + 7 }));
      expect((await nodes.other.list('ann'))[0]).toMatchObject({ deviceId: 'a', firstSeenAt: NOW + 7 });
    });

    test("nobody can make another one's device be forgotten", async () => {
      await nodes.one.seen(phone());
      await nodes.other.forget('bob', ['phone']);
      expect(await idsOf('ann')).toEqual(['phone']);
    });

    test('a device has one user, the last one', async () => {
      await nodes.one.seen(phone());
      await nodes.other.seen(phone({ userId: 'bob', at: NOW + 1 }));
      expect([await idsOf('ann'), await idsOf('bob')]).toEqual([[], ['phone']]);
      expect((await nodes.one.list('bob'))[0]).toMatchObject({ firstSeenAt: NOW + 1 });
    });

    test('ids of users are any text', async () => {
      for (const userId of ['auth0|7', 'a:b', '{x}', 'ü'.repeat(100)]) {
        await nodes.one.seen(phone({ userId, deviceId: `of-${userId.length}` }));
        expect(await idsOf(userId)).toEqual([`of-${userId.length}`]);
      }
    });
  });
}
