import { MemoryDevices } from '../../src/access/memory-devices';
import { ManualClock } from '../support/manual-clock';
import { devicesContract, TTL_MS } from './devices.contract';

devicesContract('memory', async () => {
  const clock = new ManualClock();
  const devices = new MemoryDevices({ clock, ttlMs: TTL_MS });
  return { one: devices, other: devices, pass: async (ms) => clock.advance(ms), stop: async () => {} };
});

test('memory keeps so many and no more: those seen longest ago go first', async () => {
  const devices = new MemoryDevices({ clock: new ManualClock(), ttlMs: TTL_MS, maxDevices: 3 });
  const at = 1_700_000_000_000;
  for (const deviceId of ['a', 'b', 'c', 'a', 'd']) {
    await devices.seen({ userId: 'ann', deviceId, label: '', address: '', at });
  }
  expect((await devices.list('ann')).map(({ deviceId }) => deviceId)).toEqual(['a', 'c', 'd']);
});
