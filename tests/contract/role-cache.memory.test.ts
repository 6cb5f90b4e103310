import { MemoryRoleCache } from '../../src/access/memory-role-cache';
import { ManualClock } from '../support/manual-clock';
import { roleCacheContract, TTL_MS } from './role-cache.contract';

roleCacheContract('memory', async () => {
  const clock = new ManualClock();
  const cache = new MemoryRoleCache({ clock, ttlMs: TTL_MS });
  return { one: cache, other: cache, pass: async (ms) => clock.advance(ms), stop: async () => {} };
});

test('memory keeps so many and no more, those put first go first; what has ended goes by itself', async () => {
  const clock = new ManualClock();
  const cache = new MemoryRoleCache({ clock, ttlMs: TTL_MS, maxRows: 3 });
  const row = { role: 'viewer', link: 'none', number: 1 } as const;
  for (const userId of ['a', 'b', 'c', 'a', 'd']) await cache.put('novel', userId, row);
  const found = await Promise.all(
    ['a', 'b', 'c', 'd'].map((userId) => cache.get('novel', userId, { since: 0, until: 9 })),
  );
  expect(found.map((access) => access !== null)).toEqual([true, false, true, true]);
  clock.advance(TTL_MS);
  await cache.put('novel', 'e', row);
  expect(cache.size).toBe(1);
});
