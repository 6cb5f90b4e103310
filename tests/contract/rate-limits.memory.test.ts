import { MemoryRateLimits } from '../../src/limits/memory-rate-limits';
import { ManualClock } from '../support/manual-clock';
import { rateLimitsContract } from './rate-limits.contract';

rateLimitsContract('memory', async () => {
  const clock = new ManualClock();
  const limits = new MemoryRateLimits({ clock });
  return { one: limits, other: limits, pass: async (ms) => clock.advance(ms) };
});

test('memory keeps so many windows and no more: those that began first go first', async () => {
  const limits = new MemoryRateLimits({ clock: new ManualClock(), maxWindows: 2 });
  const left = async (caller: string): Promise<number> =>
    (await limits.take({ limiter: 'ip', caller, route: '/api', points: 9, seconds: 60 }, 1)).remaining;
  expect([await left('a'), await left('b'), await left('a'), await left('c')]).toEqual([8, 8, 7, 8]);
  expect([await left('b'), await left('a')]).toEqual([7, 8]);
});
