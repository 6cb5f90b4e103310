import { stats } from '../../src/http/schemas';
import { makeHistory } from '../../src/tools/traces';
import { ask, brokenServer, Processes, type Variables } from '../support/server-process';
import { MIN_UNSAVED, replayWithKills, type KilledReplay } from '../support/server-process-kills';

const processes = new Processes();
afterEach(() => processes.clean());

const SEED = 20_260_301;
const KILLS = 10;
const DEADLINE_MS = 120_000;

/** What a lost hint leaves out is found soon. */
const QUICK_AUDIT = { AUDIT_INTERVAL_MS: '50' };

/** What is expected to fail need not be waited for long, but a restart on a busy machine is no failure. */
const STALL_MS = 10_000;

/** The same history and the same kills, whatever the server's fault is. */
function replayOnBroken(fault: string, options: { env?: Variables; stallMs?: number }): Promise<KilledReplay> {
  const history = makeHistory({ seed: SEED, edits: 4_000, authors: 2 });
  return replayWithKills({ processes, seed: SEED, history, kills: 2, command: brokenServer(fault), ...options });
}

test(
  `[ST3] [EO2] [CL1] a replay whose server is killed ${KILLS} times (seed ${SEED}) ends equal, and what was said to be saved is saved`,
  async () => {
    const history = makeHistory({ seed: SEED, edits: 16_000, authors: 2 });
    const { report, kills } = await replayWithKills({ processes, seed: SEED, history, kills: KILLS });

    expect(kills).toHaveLength(KILLS);
    for (const { broken, unsaved } of kills) {
      expect(broken).toEqual([]);
      expect(unsaved).toBeGreaterThanOrEqual(MIN_UNSAVED);
    }
    // What was not saved really died with the process.
    expect(Math.max(...kills.map(({ lost }) => lost))).toBeGreaterThanOrEqual(MIN_UNSAVED);
    expect(report.problems).toEqual([]);
  },
  DEADLINE_MS,
);

describe('negative controls', () => {
  test(
    '[EO2] with answers that are lost, the replay ends equal, because batches that come again are recognised',
    async () => {
      const { server, kills, report } = await replayOnBroken('lost-answers', { env: QUICK_AUDIT });
      const { body } = await ask(`${server.url}/ws/stats`, stats);
      expect(body.operations.duplicates).toBeGreaterThan(0);
      expect(kills.map(({ broken }) => broken)).toEqual([[], []]);
      expect(report.problems).toEqual([]);
    },
    DEADLINE_MS,
  );

  test(
    '[EO2] the same without the duplicate check fails: operations have two places',
    async () => {
      const fault = 'lost-answers-without-duplicate-check';
      const { report } = await replayOnBroken(fault, { env: QUICK_AUDIT, stallMs: STALL_MS });
      expect(report.problems).toContainEqual(
        expect.stringMatching(/edit \d+ of author \d (?:is stored )?where \d+ belongs$/),
      );
    },
    DEADLINE_MS,
  );

  test(
    '[ST3] with `saved` announced before the commit it fails: what was said to be saved is not there',
    async () => {
      const { kills, report } = await replayOnBroken('saved-before-the-commit', { stallMs: STALL_MS });
      expect(kills[0]?.broken).toContainEqual(expect.stringContaining('was said to be saved and is not in the store'));
      expect(report.problems).not.toEqual([]);
    },
    DEADLINE_MS,
  );
});
