import { makePlan } from '../support/schedule/plan';
import { writeControls, type Control } from '../support/schedule/report';
import { findBreach } from '../support/schedule/rule-off';
import { RULES_OFF } from '../support/schedule/rules-off';
import { runSchedule } from '../support/schedule/run-schedule';

/** All schedules at worst, side by side with those of the other rules, on a machine that is busy with more than that. */
const DEADLINE_MS = 480_000;

describe('a schedule breaks where a rule is not kept, and names what breaks', () => {
  const controls: Control[] = [];

  afterAll(() => writeControls(controls));

  test.concurrent.each(RULES_OFF.map((ruleOff) => [ruleOff.rule, ruleOff.instead, ruleOff] as const))(
    '[%s] %s',
    async (rule, instead, ruleOff) => {
      const { seed, violation } = await findBreach(ruleOff);
      expect(ruleOff.breaks).toContain(violation.invariant);
      controls.push({ rule, instead, seed, ...violation });

      const { trace } = await runSchedule(makePlan(seed, ruleOff.profile));
      expect(trace.violations.length === 0 ? '' : trace.report(`the same schedule with the rule, seed ${seed},`)).toBe(
        '',
      );
    },
    DEADLINE_MS,
  );
});
