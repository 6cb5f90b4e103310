import { makeHistory } from '../../src/tools/traces';
import { Processes } from '../support/server-process';
import { MIN_UNSAVED, replayWithKills } from '../support/server-process-kills';

const processes = new Processes();
afterEach(() => processes.clean());

const SEEDS = Array.from({ length: 10 }, (_, index) => 101 + index);
const KILLS = 10;

test.each(SEEDS)(
  `[ST3] [EO2] [CL1] a replay whose server is killed ${KILLS} times (seed %i) ends equal`,
  async (seed) => {
    const history = makeHistory({ seed, edits: 24_000, authors: 3 });
    const { report, kills } = await replayWithKills({ processes, seed, history, kills: KILLS });
    expect(kills).toHaveLength(KILLS);
    for (const { broken, unsaved } of kills) {
      expect(broken).toEqual([]);
      expect(unsaved).toBeGreaterThanOrEqual(MIN_UNSAVED);
    }
    expect(report.problems).toEqual([]);
  },
);

test.each(['SIGTERM', 'SIGINT'] as const)('[ST8] the same with %s loses nothing at all', async (signal) => {
  const history = makeHistory({ seed: 7, edits: 24_000, authors: 3 });
  const { report, kills } = await replayWithKills({ processes, seed: 7, history, kills: KILLS, signal });
  expect(kills.map(({ lost, broken, ended }) => ({ lost, broken, ended }))).toEqual(
    Array.from({ length: KILLS }, () => ({ lost: 0, broken: [], ended: { code: 0, signal: null } })),
  );
  expect(report.problems).toEqual([]);
});
