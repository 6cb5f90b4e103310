import { runSchedule } from './support/schedule';

const MIXES = [
  { submitters: 2, proposers: 1, reloaders: 1 },
  { submitters: 1, proposers: 0, reloaders: 3 },
  { submitters: 1, proposers: 3, reloaders: 0 },
];

describe.each(MIXES)('$submitters submitters, $proposers proposers, $reloaders reloaders', (mix) => {
  test('[CL1] [CL2] 3,000 seeds of 600 steps: nothing is lost, doubled or out of order, and every tab shows the history', async () => {
    const found: string[] = [];
    for (let seed = 1_000; seed < 4_000; seed += 1) {
      const { violations } = await runSchedule({ seed, steps: 600, ...mix });
      found.push(...violations.map((violation) => `seed ${seed}: ${violation}`));
    }
    expect(found).toEqual([]);
  });
});
