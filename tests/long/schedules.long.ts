import { makePlan } from '../support/schedule/plan';
import { runSchedule } from '../support/schedule/run-schedule';

const SEEDS = Array.from({ length: 2_000 }, (_, index) => index + 1);

describe('schedules of faults', () => {
  test.concurrent.each(SEEDS)('seed %i', async (seed) => {
    const { trace } = await runSchedule(makePlan(seed));
    expect(trace.violations.length === 0 ? '' : trace.report(`seed ${seed}`)).toBe('');
  });
});
