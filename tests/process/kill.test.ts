import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stats } from '../../src/http/schemas';
import { makeHistory } from '../../src/tools/traces';
import { ask, Processes, ROOT } from '../support/server-process';
import { MIN_UNSAVED, replayWithKills, type KilledReplay } from '../support/server-process-kills';

const processes = new Processes();
afterEach(() => processes.clean());

const SEED = 20_260_301;
const KILLS = 10;
const DEADLINE_MS = 120_000;

const brokenServer = (fault: string): string[] => [
  process.execPath,
  '--import',
  pathToFileURL(require.resolve('tsx')).href,
  join(ROOT, 'tests/support/broken-server.ts'),
  fault,
];

/** The same schedule for a server that is as it should be and for one that is not. */
function replayOnBroken(fault: string, env: Record<string, string> = {}): Promise<KilledReplay> {
  const history = makeHistory({ seed: SEED, edits: 3_000, authors: 2 });
  return replayWithKills({
    processes,
    seed: SEED,
    history,
    kills: 2,
    env,
    command: brokenServer(fault),
    stallMs: 10_000,
  });
}

const broken = ({ kills }: KilledReplay): string[] => kills.flatMap((kill) => kill.broken);

test(
  `[ST3] [EO2] [CL1] a replay whose server is killed ${KILLS} times (seed ${SEED}) ends equal, and what was said to be saved is saved`,
  async () => {
    const history = makeHistory({ seed: SEED, edits: 16_000, authors: 2 });
    const { report, kills } = await replayWithKills({ processes, seed: SEED, history, kills: KILLS });

    expect(kills).toHaveLength(KILLS);
    for (const kill of kills) {
      expect(kill.broken).toEqual([]);
      expect(kill.unsaved).toBeGreaterThanOrEqual(MIN_UNSAVED);
    }
    // The kills took something away: what the store had at the moment of some of them was less than what was delivered.
    expect(Math.max(...kills.map(({ lost }) => lost))).toBeGreaterThanOrEqual(MIN_UNSAVED);
    expect(report.problems).toEqual([]);
  },
  DEADLINE_MS,
);

describe('with a fault built in', () => {
  test(
    '[EO2] answers that are lost are answered again, and no operation has two places',
    async () => {
      const killed = await replayOnBroken('lost-answers');
      const { body } = await ask(`${killed.server.url}/ws/stats`, stats);
      expect(body.operations.duplicates).toBeGreaterThan(0);
      expect(broken(killed)).toEqual([]);
      expect(killed.report.problems).toEqual([]);
    },
    DEADLINE_MS,
  );

  test(
    '[EO2] the same without the duplicate check fails: an operation has two places',
    async () => {
      const killed = await replayOnBroken('lost-answers-without-duplicate-check');
      console.log(killed.report.problems, broken(killed));
      expect(killed.report.problems).toContainEqual(
        expect.stringMatching(/^the server's history has edit \d+ of author \d where \d+ belongs$/),
      );
    },
    DEADLINE_MS,
  );

  test(
    '[ST3] a server that announces `saved` before the commit fails: what was said to be saved is gone',
    async () => {
      const killed = await replayOnBroken('saved-before-the-commit');
      console.log(
        killed.report.problems,
        broken(killed),
        killed.kills.map(({ unsaved }) => unsaved),
      );
      expect(broken(killed)).toContainEqual(expect.stringContaining('was said to be saved and is not in the store'));
      expect(killed.report.problems).not.toEqual([]);
    },
    DEADLINE_MS,
  );
});
