import { Lease } from '../../src/limits/lease';
import { MemoryRateLimits } from '../../src/limits/memory-rate-limits';
import type { Allowance, RateLimits, Standing } from '../../src/limits/rate-limits';
import { ManualClock } from '../support/manual-clock';

const ALLOWANCE: Allowance = {
  limiter: 'default',
  caller: 'ann',
  route: 'operation:submit',
  points: 1_000,
  seconds: 10,
};
/** A twentieth of it. */
const SIZE = 50;

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** How many are taken one after the other until one is refused; and how often it was asked for more. */
async function takenOf(leases: readonly Lease[]): Promise<number> {
  for (let taken = 0; ; taken += 1) {
    if ((leases[taken % leases.length]?.take(1) ?? 0) > 0) return taken;
    await settled();
  }
}

test('[LM3] a user on several instances gets what the allowance says, give or take a tenth for each; few questions are asked', async () => {
  const counted = new MemoryRateLimits({ clock });
  let asked = 0;
  const rateLimits: RateLimits = {
    take: (allowance, points) => {
      asked += 1;
      return counted.take(allowance, points);
    },
  };
  const leases = [1, 2].map(() => new Lease({ rateLimits, allowance: ALLOWANCE, clock }));
  const taken = await takenOf(leases);
  expect(taken).toBeGreaterThanOrEqual(0.8 * ALLOWANCE.points);
  expect(taken).toBeLessThanOrEqual(1.2 * ALLOWANCE.points);
  expect(asked).toBeLessThan(60);
  const waitMs = Math.max(...leases.map((lease) => lease.take(1)));
  expect(waitMs).toBe(ALLOWANCE.seconds * 1_000);
  clock.advance(waitMs);
  expect(await takenOf(leases)).toBeGreaterThanOrEqual(0.8 * ALLOWANCE.points);
});

test('[LM9] while the answer is on its way so many are lent, and no more', async () => {
  let answer: (standing: Standing) => void = () => {};
  const rateLimits: RateLimits = { take: () => new Promise((resolve) => (answer = resolve)) };
  const lease = new Lease({ rateLimits, allowance: ALLOWANCE, clock });
  expect(await takenOf([lease])).toBe(SIZE);
  expect(lease.take(1)).toBe(100);
  answer({ isAllowed: true, remaining: 0, resetMs: 10_000 });
  await settled();
  expect(lease.take(1)).toBe(0);
});

test('[LM3] one that is larger than what is taken in advance gets through, and counts', async () => {
  const counted = new MemoryRateLimits({ clock });
  const lease = new Lease({ rateLimits: counted, allowance: ALLOWANCE, clock });
  expect(lease.take(700)).toBe(0);
  await settled();
  expect(await takenOf([lease])).toBeLessThanOrEqual(300 + SIZE);
});
