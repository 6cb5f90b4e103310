import { AccessFollower } from '../../src/access/access-follower';
import type { AccessHints } from '../../src/access/access-hints';
import { FlowError } from '../../src/protocol/errors';
import type { AccessChange, AccessChanges, NumberedChange } from '../../src/storage/access-changes';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';
import { logLines } from '../support/log-lines';
import { ManualClock, settle } from '../support/manual-clock';

const role = (userId: string): AccessChange => ({ kind: 'role', sessionId: 'novel', userId });

/** The list of all instances, which can be away. */
class ChangesWithSwitch implements AccessChanges {
  readonly #changes = new MemoryDocumentStore().accessChanges;
  isAway = false;
  reads = 0;
  /** When set, answers wait for it. */
  gate: Promise<void> | undefined;

  append(change: AccessChange, at = 0): Promise<number> {
    return this.#changes.append(change, at);
  }

  async after(number: number, limit: number): Promise<readonly NumberedChange[]> {
    this.reads += 1;
    if (this.isAway) throw new FlowError('STORE_UNAVAILABLE');
    const found = await this.#changes.after(number, limit);
    await this.gate;
    return found;
  }

  prune(before: number): Promise<void> {
    return this.#changes.prune(before);
  }
}

const running: AccessFollower[] = [];
afterEach(() => Promise.all(running.splice(0).map((follower) => follower.stop())));

function make() {
  const changes = new ChangesWithSwitch();
  const clock = new ManualClock();
  const { lines, log } = logLines();
  let hint = (): void => {};
  let told = 0;
  const hints: AccessHints = {
    follow: async (onHint) => {
      hint = onHint;
    },
    tell: () => {
      told += 1;
    },
    stop: async () => {},
  };
  const follower = new AccessFollower({ changes, hints, clock, log, pollMs: 500 });
  running.push(follower);
  const heard: string[] = [];
  follower.follow(({ number, change }) => heard.push(`${number} ${change.userId}`));
  return { changes, clock, lines, follower, heard, hint: () => hint(), told: () => told };
}

test('it has heard of everything there is when it has started, also of more than a page', async () => {
  const { changes, follower, heard } = make();
  for (let count = 0; count < 1_100; count += 1) await changes.append(role('ann'));
  await follower.start();
  expect(heard).toHaveLength(1_100);
  expect(follower.number).toBe(1_100);
});

test('it hears of each later change once, in order, when it looks again', async () => {
  const { changes, clock, follower, heard } = make();
  await follower.start();
  await changes.append(role('ann'));
  await changes.append(role('bob'));
  await clock.advanceInSteps(500, 100);
  await changes.append(role('cat'));
  await clock.advanceInSteps(500, 100);
  expect(heard).toEqual(['1 ann', '2 bob', '3 cat']);
});

test('a hint makes it look at once; one that comes while it looks makes it look again', async () => {
  const { changes, follower, heard, hint } = make();
  await follower.start();
  let open = (): void => {};
  changes.gate = new Promise((resolve) => (open = resolve));
  hint();
  await settle();
  // The look under way has read already, and found nothing.
  await changes.append(role('ann'));
  hint();
  hint();
  const before = changes.reads;
  changes.gate = undefined;
  open();
  await eventually('the second look', () => heard.length === 1);
  expect(changes.reads).toBe(before + 1);
});

test('who has appended is told when it holds here, and the others are told to look', async () => {
  const { changes, follower, heard, told } = make();
  await follower.start();
  await changes.append(role('ann'));
  await follower.appended();
  expect([heard, told()]).toEqual([['1 ann'], 1]);
  changes.isAway = true;
  await changes.append(role('bob'));
  await follower.appended();
  expect([heard, told()]).toEqual([['1 ann'], 2]);
});

test('what it knows may be believed for a second, by the moment at which it began to look', async () => {
  const { changes, clock, follower, lines } = make();
  expect(follower.isFresh()).toBe(false);
  await follower.start();
  changes.isAway = true;
  await clock.advanceInSteps(1_000, 100);
  expect(follower.isFresh()).toBe(true);
  await clock.advanceInSteps(100, 100);
  expect(follower.isFresh()).toBe(false);
  await expect(follower.demandFresh()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  changes.isAway = false;
  await changes.append(role('ann'));
  await follower.demandFresh();
  expect([follower.isFresh(), follower.number]).toEqual([true, 1]);
  // Once per outage.
  const said = lines.map(({ msg }) => msg).filter((msg) => msg.includes('changes of access'));
  expect(said).toEqual([expect.stringContaining('cannot be read'), expect.stringContaining('read again')]);
});

test('while what it knows is fresh, nobody who asks waits for the store', async () => {
  const { changes, follower } = make();
  await follower.start();
  const before = changes.reads;
  await follower.demandFresh();
  expect(changes.reads).toBe(before);
});

test('a listener that fails keeps neither the others nor the next change away', async () => {
  const { changes, follower, heard, lines } = make();
  follower.follow(() => {
    throw new Error('no');
  });
  const late: number[] = [];
  follower.follow(({ number }) => late.push(number));
  await changes.append(role('ann'));
  await changes.append(role('bob'));
  await follower.start();
  expect([heard, late]).toEqual([
    ['1 ann', '2 bob'],
    [1, 2],
  ]);
  expect(lines.filter(({ level }) => level >= 50)).toHaveLength(2);
});

test('a store that cannot be read keeps it from starting; stopped, it leaves no timer', async () => {
  const { changes, clock, follower, hint } = make();
  changes.isAway = true;
  await expect(follower.start()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  changes.isAway = false;
  await follower.start();
  await follower.stop();
  expect(clock.pendingTimers).toBe(0);
  hint();
  await settle();
  expect(clock.pendingTimers).toBe(0);
});

test('a week later a role change is removed', async () => {
  const { changes, clock, follower } = make();
  await changes.append(role('ann'), clock.now());
  await follower.start();
  clock.advance(7 * 86_400_000 + 3_600_000);
  await settle();
  expect(await changes.after(0, 10)).toEqual([]);
});
