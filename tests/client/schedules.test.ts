import { runSchedule, type Outcome } from './support/schedule';

const SEEDS = Array.from({ length: 100 }, (_, index) => index + 1);

function total(outcomes: readonly Outcome[], name: string): number {
  return outcomes.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0);
}

describe('random schedules of writing, cuts, kills, forks and reloads', () => {
  const outcomes: Outcome[] = [];

  test.each(SEEDS)(
    '[CL1] [CL2] seed %i: nothing is lost, doubled or out of order, and every tab shows the history',
    async (seed) => {
      const outcome = await runSchedule({ seed, steps: 600, submitters: 2, proposers: 1, reloaders: 1 });
      outcomes.push(outcome);
      expect(outcome.violations).toEqual([]);
    },
  );

  test('the faults really happened', () => {
    console.log(
      JSON.stringify(Object.fromEntries(Object.keys(outcomes[0]?.counts ?? {}).map((n) => [n, total(outcomes, n)]))),
    );
  });
});
