import { makePlan } from '../support/schedule/plan';
import { runSchedule, type Outcome } from '../support/schedule/run-schedule';

const SEEDS = Array.from({ length: 50 }, (_, index) => index + 1);
describe('schedules', () => {
  const outcomes: Outcome[] = [];
  test.concurrent.each(SEEDS)('seed %i', async (seed) => {
    const outcome: Outcome = await runSchedule(makePlan(seed));
    outcomes.push(outcome);
    if (outcome.trace.violations.length > 0) throw new Error(outcome.trace.report(`seed ${seed}`));
  });
  test('sum', () => {
    const total: Record<string, number> = {};
    for (const { trace } of outcomes) for (const [k, v] of Object.entries(trace.counts)) total[k] = (total[k] ?? 0) + v;
    const c = outcomes.map((o) => o.convergedMs ?? -1).sort((a, b) => a - b);
    const t = outcomes.map((o) => o.tookMs).sort((a, b) => a - b);
    console.log(
      JSON.stringify({
        n: outcomes.length,
        conv: [c[c.length >> 1], c[Math.floor(c.length * 0.95)], c.at(-1)],
        took: [t[t.length >> 1], t.at(-1)],
      }) + JSON.stringify(total, null, 1),
    );
  });
});
