import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import type { RedisEventOrdering } from '../../src/ordering/redis-event-ordering';
import { RedisHints } from '../../src/redis/redis-hints';
import { RedisBackend } from '../support/redis-backend';
import { loadChanged, type SourceChange } from '../support/schedule/changed-source';
import { makePlan } from '../support/schedule/plan';
import { RedisHotLog } from '../support/schedule/redis-hot-log';
import { findBreach } from '../support/schedule/rule-off';
import { REDIS_RULES_OFF } from '../support/schedule/rules-off-redis';
import { runSchedule } from '../support/schedule/run-schedule';
import type { Parts } from '../support/schedule/world';

/** A dozen schedules at worst, side by side with those of the other rules, on a machine that is busy with more than that. */
const DEADLINE_MS = 480_000;

let backend: RedisBackend;
beforeAll(async () => {
  backend = await RedisBackend.start('single');
});
afterAll(() => backend.stop());

/** The order in Redis, with some of its rules switched off: every schedule gets keys of its own. */
async function inRedis(changes: readonly SourceChange[]): Promise<() => Partial<Parts>> {
  const loaded = loadChanged('src/ordering/redis-event-ordering.ts', changes) as {
    RedisEventOrdering: typeof RedisEventOrdering;
  };
  const redis = backend.connections('schedules');
  const hints = new RedisHints({ redis, log: silentLogger });
  redis.client('command');
  await redis.start();
  return () => {
    const keys = backend.freshKeys();
    const ordering = new loaded.RedisEventOrdering({ redis, hints, keys, clock: systemClock });
    return { hotLog: (sessionId) => new RedisHotLog({ sessionId, ordering, redis, keys }) };
  };
}

describe('with the order in Redis a schedule breaks where a rule is not kept, and names what breaks', () => {
  test.concurrent.each(REDIS_RULES_OFF.map((ruleOff) => [ruleOff.rule, ruleOff.instead, ruleOff] as const))(
    '[%s] %s',
    async (_rule, _instead, ruleOff) => {
      const { seed, violation } = await findBreach(ruleOff, await inRedis(ruleOff.inRedis ?? []));
      expect(ruleOff.breaks).toContain(violation.invariant);

      const kept = await inRedis([]);
      const { trace } = await runSchedule(makePlan(seed, ruleOff.profile), { parts: kept() });
      expect(trace.violations.length === 0 ? '' : trace.report(`the same schedule with the rule, seed ${seed},`)).toBe(
        '',
      );
    },
    DEADLINE_MS,
  );
});
