import type { ReplayReport } from '../../src/tools/replay-run';
import { Lanes } from './lanes';
import { FAULTS, type Fault, type FaultName } from './redis-faults';
import { replayThrough } from './redis-faulty-replay';
import type { AnyRedis } from './redis-topology';
import type { World } from './redis-world';
import { Dice } from './schedule/dice';
import { brokenServer, Processes } from './server-process';

/** With everything that waits for its turn. */
export const DEADLINE_MS = 180_000;
/** Replays at once in one file: most of the time each of them waits. */
const AT_ONCE = 2;
const EDITS = 1_200;
/** So that an instance that is gone is not waited for longer than a fault takes to be seen. */
const SAVE_LEASE_MS = 1_000;

const lanes = new Lanes(AT_ONCE);

/** Beside others of its file, when it is its turn. */
export const beside = <Answer>(run: (processes: Processes) => Promise<Answer>): Promise<Answer> =>
  lanes.run(() => Processes.during(run));

/** A short replay. */
export const replayBeside = (
  options: Omit<Parameters<typeof replayThrough>[0], 'processes' | 'edits' | 'saveLeaseMs'>,
): Promise<{ report: ReplayReport }> =>
  beside((processes) => replayThrough({ processes, edits: EDITS, saveLeaseMs: SAVE_LEASE_MS, ...options }));

/** A replay ends equal through each fault alone; in mixtures they come in redis-mixtures.long.ts. */
export function replaysEndEqual(alone: ReadonlyArray<readonly [FaultName, AnyRedis['kind']]>): void {
  describe('a replay over three instances ends equal through', () => {
    test.concurrent.each(alone)(
      '%s (%s)',
      async (name, kind) => {
        const fault: Fault = FAULTS[name];
        let count = 0;
        const { report } = await replayBeside({
          kind,
          ...(fault.needs ? { command: brokenServer(fault.needs) } : {}),
          async happen(world: World) {
            count = await fault.happen(world, new Dice(1, name));
          },
        });
        expect(report.problems).toEqual([]);
        expect(count).toBeGreaterThan(0);
      },
      DEADLINE_MS,
    );
  });
}
