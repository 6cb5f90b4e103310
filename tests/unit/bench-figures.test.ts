import { median, percentile, Samples } from '../../bench/harness/statistics';
import { atRandom } from '../../bench/load/schedule';

test('a percentile is the value below which that share of the samples lies', () => {
  const samples = Float64Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(samples, 0.5)).toBe(51);
  expect(percentile(samples, 0.99)).toBe(100);
  expect(percentile(new Float64Array(0), 0.5)).toBeNaN();
});

test('a median of an even number of values lies in the middle of the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([1, 2, 10, 100])).toBe(6);
});

test('samples keep every value beyond their first size', () => {
  const samples = new Samples();
  for (let value = 10_000; value > 0; value -= 1) samples.add(value);
  expect(samples.count).toBe(10_000);
  expect(samples.percentile(0.5)).toBe(5_001);
  expect(samples.percentile(1)).toBe(10_000);
});

test('a random schedule keeps its rate and names the moment an act was due, however long acts take', async () => {
  const acts: Array<{ due: number; now: number }> = [];
  const startedAt = performance.now();
  await atRandom({ perSecond: 5_000, durationMs: 400 }, (due, now) => {
    acts.push({ due, now });
    // Holds everything up once: what was due meanwhile is neither forgotten nor counted as punctual.
    if (acts.length === 100) while (performance.now() - now < 100);
  });
  // 2,000 on average with a standard deviation of 45.
  expect(acts.length).toBeGreaterThan(1_700);
  expect(acts.length).toBeLessThan(2_300);
  for (const { due, now } of acts) expect(now).toBeGreaterThanOrEqual(due);
  expect(Math.max(...acts.map(({ due, now }) => now - due))).toBeGreaterThan(90);
  expect(Math.max(...acts.map(({ due }) => due))).toBeLessThan(startedAt + 500);
});

test('a schedule ends with the fault of an act', async () => {
  const failing = atRandom({ perSecond: 1_000, durationMs: 10_000 }, () => {
    throw new Error('refused');
  });
  await expect(failing).rejects.toThrow('refused');
});
