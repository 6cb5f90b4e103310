import { makePlan } from '../support/schedule/plan';
import { runSchedule } from '../support/schedule/run-schedule';

/** The long run takes many more: see tests/long. */
const SEEDS = Array.from({ length: 50 }, (_, index) => index + 1);

/** One takes two seconds; the deadlines inside of it are for a machine full of other work. */
const DEADLINE_MS = 120_000;

describe('schedules of faults', () => {
  test.concurrent.each(SEEDS)(
    'seed %i',
    async (seed) => {
      const { trace } = await runSchedule(makePlan(seed));
      expect(trace.violations.length === 0 ? '' : trace.report(`seed ${seed}`)).toBe('');
    },
    DEADLINE_MS,
  );
});
