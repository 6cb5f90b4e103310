import { HeldQueue } from '../../src/client/held-queue';
import { DeliveredHistory } from '../../src/client/history';
import { StoredQueue } from '../../src/client/stored-queue';
import { runSchedule, type Outcome } from './support/schedule';

const SEEDS = Array.from({ length: 100 }, (_, index) => index + 1);
const TABS = { submitters: 2, proposers: 1, reloaders: 1 };

const total = (outcomes: readonly Outcome[], name: string): number =>
  outcomes.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0);

describe('random schedules of writing, cuts, kills, forks and reloads', () => {
  const outcomes: Outcome[] = [];

  test.each(SEEDS)(
    '[CL1] [CL2] seed %i: nothing is lost, doubled or out of order, and every tab shows the history',
    async (seed) => {
      const outcome = await runSchedule({ seed, steps: 600, ...TABS });
      outcomes.push(outcome);
      expect(outcome.violations).toEqual([]);
    },
  );

  test.each([
    'submits',
    'proposals',
    'cuts',
    'unsavedAtKill',
    'forks',
    'reloads',
    'server.forks',
    'server.starts',
    'server.continues',
    'server.pages',
    'server.duplicates',
    'server.gaps',
  ])('there were %s', (name) => {
    expect(total(outcomes, name)).toBeGreaterThan(0);
  });
});

describe('[CL4] two tabs that speak for one client, because locks fail', () => {
  test.each(SEEDS.slice(0, 30))('seed %i: nothing is lost, and every tab shows the history', async (seed) => {
    const options = { seed, steps: 400, submitters: 1, proposers: 0, reloaders: 2 };
    const { violations } = await runSchedule({ ...options, hasBrokenLocks: true, hasPruning: false });
    // What another tab restores while its author still lives may come twice; that is what locks are for.
    expect(violations.filter((violation) => !/times|out of/.test(violation))).toEqual([]);
  });
});

describe('[CL4] a storage that is full now and then', () => {
  const options = { steps: 600, submitters: 1, proposers: 1, reloaders: 2, hasFullStorage: true };
  const outcomes: Outcome[] = [];

  test.each(SEEDS.slice(0, 40))('seed %i: nothing is doubled, and only what was not stored is lost', async (seed) => {
    const outcome = await runSchedule({ seed, ...options });
    outcomes.push(outcome);
    expect(outcome.violations).toEqual([]);
  });

  test('it was full, and tabs were reloaded', () => {
    expect(total(outcomes, 'storagesFull')).toBeGreaterThan(100);
    expect(total(outcomes, 'reloads')).toBeGreaterThan(100);
  });

  test('negative control: where nothing can be taken out of it, what was sent since is doubled', async () => {
    const found: string[] = [];
    for (const seed of SEEDS) {
      const { violations } = await runSchedule({ seed, ...options, isStorageStuck: true });
      found.push(...violations);
      if (violations.some((violation) => /times/.test(violation))) break;
    }
    expect(found.join('\n')).toMatch(/is in the history \d+ times/);
  });
});

describe('negative controls', () => {
  afterEach(() => jest.restoreAllMocks());

  /** What the first seeds find, up to the first that finds this. */
  async function findingsUntil(expected: RegExp): Promise<string> {
    const found: string[] = [];
    for (const seed of SEEDS.slice(0, 40)) {
      const { violations } = await runSchedule({ seed, steps: 600, ...TABS, healingRounds: 100 });
      found.push(...violations);
      if (violations.some((violation) => expected.test(violation))) break;
    }
    return found.join('\n');
  }

  test('[CL1] operations let go when they are ordered, not when they are saved, are lost', async () => {
    const { release } = HeldQueue.prototype;
    jest.spyOn(HeldQueue.prototype, 'release').mockImplementation(function (this: HeldQueue) {
      return release.call(this, Number.POSITIVE_INFINITY);
    });
    expect(await findingsUntil(/was lost/)).toMatch(/was lost/);
  });

  test('[CL2] own entries that are not recognised are doubled', async () => {
    jest.spyOn(HeldQueue.prototype, 'confirm').mockReturnValue('remote');
    expect(await findingsUntil(/is in the history \d+ times/)).toMatch(/is in the history \d+ times/);
  });

  test('[CL2] a fork that takes nothing back leaves another document', async () => {
    const { reconcile } = DeliveredHistory.prototype;
    jest.spyOn(DeliveredHistory.prototype, 'reconcile').mockImplementation(function (this: DeliveredHistory, ...given) {
      return { ...reconcile.apply(this, given), lost: [] };
    });
    expect(await findingsUntil(/shows another document|operations at seq/)).toMatch(
      /shows another document|operations at seq/,
    );
  });

  test('[CL2] what a snapshot may hold, sent again under new numbers, is doubled', async () => {
    const { settleNumbers } = HeldQueue.prototype;
    jest.spyOn(HeldQueue.prototype, 'isInDoubt', 'get').mockReturnValue(false);
    jest.spyOn(HeldQueue.prototype, 'settleNumbers').mockImplementation(function (this: HeldQueue) {
      this.noteAllSeen();
      settleNumbers.call(this);
    });
    expect(await findingsUntil(/is in the history \d+ times/)).toMatch(/is in the history \d+ times/);
  });

  test('[CL2] what is sent before it is stored is doubled by a reload', async () => {
    jest.spyOn(StoredQueue.prototype, 'version', 'get').mockReturnValue(Number.POSITIVE_INFINITY);
    expect(await findingsUntil(/is in the history \d+ times|was lost/)).toMatch(/is in the history \d+ times|was lost/);
  });
});
