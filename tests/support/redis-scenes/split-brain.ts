import { storeWith, otherLog } from '../schedule/rule-off';
import { OverwritingLog, UnfencedLog } from '../schedule/broken-logs';
import type { RedisServer } from '../redis-server';
import { TcpProxy } from '../schedule/tcp-proxy';
import { ANY_EPOCH } from './order';
import type { RuleInScene } from './scene';
import type { Stage } from './stage';

/** A replica is promoted with the last writes missing, and the old master serves near as before: what the rules of fencing are for. */
export const SPLIT_BRAIN_SCENES: readonly RuleInScene[] = [
  {
    rule: 'ST1',
    instead: 'an epoch is opened without being raised',
    breaks: 'wait',
    off: () => ({
      parts: otherLog((real) => ({
        async openEpoch(sessionId, seen, above) {
          const head = await real.head(sessionId);
          return head && head.epoch > 0 ? head : real.openEpoch(sessionId, seen, above);
        },
      }))(),
    }),
    scene: bothWrite,
  },
  {
    rule: 'ST2',
    instead: 'a save under an epoch that is over is taken if it continues the history',
    breaks: 'epoch',
    off: () => ({ parts: storeWith((histories) => new UnfencedLog(histories))() }),
    scene: bothWrite,
  },
  {
    rule: 'ST2',
    instead: 'a save replaces what the store has at its place',
    breaks: 'saved',
    off: () => ({ parts: storeWith((histories) => new OverwritingLog(histories))() }),
    scene: bothWrite,
  },
  {
    rule: 'EO7',
    instead: 'appends and admissions go to whatever epoch the hot log has',
    breaks: 'unique',
    off: () => ({ changes: ANY_EPOCH }),
    async scene(stage) {
      const { near, far } = stage;
      await stage.watch(near, far);
      const letNear = stage.holdSaves(near);
      const letFar = stage.holdSaves(far);
      const master = stage.redis.server;
      await splitWith(stage, async (promote) => {
        const ada = await stage.author(near, 'ada');
        await ada.write();
        await stage.heard(far, 1);
        const { epoch } = await stage.hot();
        const letGo = await stage.lateClientRow(near, () => ada.tryToJoin(near.server));
        const promoted = await promote();
        letFar();
        await stage.reopened(epoch, promoted);
        // The old master is gone at last.
        await master.kill();
        stage.redis.server = promoted;
        stage.lead(near, promoted.port);
        await stage.followed(near, epoch);
        await letGo();
        letNear();
      });
    },
  },
];

/** Both sides order under epochs of their own; the side of the old master saves first. */
async function bothWrite(stage: Stage): Promise<void> {
  const { near, far } = stage;
  await stage.watch(near, far);
  const ada = await stage.author(near, 'ada');
  const bob = await stage.author(far, 'bob');
  await ada.write();
  await stage.saved(1);
  const { epoch } = await stage.hot();
  const master = stage.redis.server;
  await splitWith(stage, async (promote) => {
    // On the old master only; everybody has heard it.
    await ada.write();
    await stage.saved(2);
    await stage.heard(far, 2);
    const letNear = stage.holdSaves(near);
    const promoted = await promote();
    await stage.within('the side of the promoted one to go on', async () => (await stage.hot(promoted)).epoch > epoch);
    const letFar = stage.holdSaves(far);
    const { savesBegun } = far.store.counts;
    await bob.write();
    await stage.within('somebody to write there', () => bob.resend(far.server));
    await stage.within('a save to begin there', () => far.store.counts.savesBegun > savesBegun);
    await ada.write();
    letNear();
    await stage.until('the side of the old master to have tried to save', async () => {
      const hot = await stage.hot(master);
      return hot.savedSeq > 2 || hot.epoch > epoch;
    });
    await stage.toldSaved(master);
    letFar();
    await master.kill();
    stage.redis.server = promoted;
    stage.lead(near, promoted.port);
  });
}

/** `promote` makes a replica that lacks what came since the split the master of far. */
async function splitWith(stage: Stage, happen: (promote: () => Promise<RedisServer>) => Promise<void>): Promise<void> {
  const master = stage.redis.server;
  const proxy = new TcpProxy(() => master.port);
  await proxy.start();
  try {
    await master.command((client) => client.config('SET', 'repl-diskless-sync-delay', '0'));
    const replica = await stage.redis.add();
    await replica.command((client) => client.replicaof('127.0.0.1', proxy.port));
    await stage.until('the replica to follow', async () => (await stage.hot(replica)).epoch > 0);
    proxy.swallows = 'down';
    await happen(async () => {
      await replica.command((client) => client.replicaof('NO', 'ONE'));
      stage.lead(stage.far, replica.port);
      return replica;
    });
  } finally {
    await proxy.stop();
  }
}
