import { keepOutcome } from '../support/redis-mixture-report';
import { makeMixture, runMixture } from '../support/redis-mixture';
import { stalledOpening } from '../support/redis-faults';
import { replayThrough } from '../support/redis-faulty-replay';
import { Processes } from '../support/server-process';

/** For a part of them, say on a machine that is not to be busy for long. */
const FIRST = Number(process.env['REDIS_MIXTURES_FIRST'] ?? 1);
const COUNT = Number(process.env['REDIS_MIXTURES_COUNT'] ?? 30);
const SEEDS = Array.from({ length: COUNT }, (_, index) => FIRST + index);

// Most of the time they wait.
test.concurrent.each(SEEDS)('a mixture of faults ends equal (seed %i)', async (seed) => {
  const outcome = await Processes.during((processes) => runMixture(makeMixture(seed), processes));
  keepOutcome(outcome);
  expect(outcome.problems).toEqual([]);
});

test('a replay ends equal when an instance stands still for thirty seconds in the middle of opening', async () => {
  let count = 0;
  const { report } = await Processes.during((processes) =>
    replayThrough({
      processes,
      kind: 'single',
      edits: 6_000,
      perSecond: 80,
      async happen(world) {
        count = await stalledOpening(world, 30_000);
      },
    }),
  );
  expect(report.problems).toEqual([]);
  expect(count).toBe(1);
});
