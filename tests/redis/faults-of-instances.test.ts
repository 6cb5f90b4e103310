import { DEADLINE_MS, replayBeside, replaysEndEqual } from '../support/redis-fault-suite';

replaysEndEqual([
  ['master killed, its replica promoted', 'sentinel'],
  ['master stands still, its replica promoted', 'sentinel'],
  ['master killed, its replica promoted', 'cluster'],
  ["the session's slot moved to another node", 'cluster'],
  ['an instance killed', 'single'],
  ['the instance that saves killed', 'single'],
  ['all instances killed', 'single'],
  ['all instances stand still', 'single'],
  ['an instance stands still in the middle of opening', 'single'],
  ['the store refuses for five seconds', 'single'],
]);

test.concurrent(
  '[SV2] what the last instance with the session open left unsaved, another one saves that never had it open',
  async () => {
    let orphaned = 0;
    const { report } = await replayBeside({
      kind: 'single',
      instances: 2,
      instancesInUse: 1,
      // So that something is unsaved at any time.
      env: { SAVE_INTERVAL_MS: '400' },
      async happen(world) {
        const [server] = world.cluster.servers;
        await world.until('edits that are not saved yet', async () => {
          const { seq, savedSeq } = await world.hot();
          return seq - savedSeq > 50;
        });
        await server?.end('SIGKILL');
        const left = await world.hot();
        orphaned = left.seq - left.savedSeq;
        await world.until('the other one to save them', async () => (await world.hot()).savedSeq === left.seq);
        expect(await world.saver()).toBe(1);
        await world.cluster.restart(0);
      },
    });
    expect(report.problems).toEqual([]);
    expect(orphaned).toBeGreaterThan(0);
  },
  DEADLINE_MS,
);
