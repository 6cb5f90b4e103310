import { makePlan } from '../support/schedule/plan';
import { writeSeeds } from '../support/schedule/report';
import { runSchedule, type Outcome } from '../support/schedule/run-schedule';

/** For a part of them, say on a machine that is not to be busy for long. */
const FIRST = Number(process.env['SCHEDULES_FIRST'] ?? 1);
const COUNT = Number(process.env['SCHEDULES_COUNT'] ?? 2_000);
const SEEDS = Array.from({ length: COUNT }, (_, index) => FIRST + index);

describe('schedules of faults', () => {
  const outcomes: Outcome[] = [];

  afterAll(() => writeSeeds(outcomes));

  test.concurrent.each(SEEDS)('seed %i', async (seed) => {
    const outcome = await runSchedule(makePlan(seed));
    outcomes.push(outcome);
    const { trace } = outcome;
    expect(trace.violations.length === 0 ? '' : trace.report(`seed ${seed}`)).toBe('');
  });
});
