import { backoffDelay } from '../../src/lib/backoff';

const RETRY = { firstMs: 50, ceilingMs: 2_000 };
const most = { ...RETRY, random: () => 0.999_999 };
const least = { ...RETRY, random: () => 0 };

test('a delay doubles with each attempt up to the ceiling', () => {
  expect([1, 2, 3, 6, 7, 1_000].map((attempt) => backoffDelay(attempt, most))).toEqual([
    50, 100, 200, 1_600, 2_000, 2_000,
  ]);
});

test('a delay is never less than half of that', () => {
  expect([1, 2, 3, 7].map((attempt) => backoffDelay(attempt, least))).toEqual([25, 50, 100, 1_000]);
});

test('two who fail together rarely come back together', () => {
  const delays = Array.from({ length: 100 }, () => backoffDelay(7, RETRY));
  expect(new Set(delays).size).toBeGreaterThan(50);
});
