import type { RuleInScene } from './scene';
import { NO_AUDIT } from './stage';

export const OPENING_SCENES: readonly RuleInScene[] = [
  {
    rule: 'ST4',
    instead: 'a hot log is believed whatever the store says',
    breaks: 'epoch',
    // The one that would notice first that Redis has less than it had.
    staging: { near: NO_AUDIT },
    off: () => ({
      changes: [
        {
          folder: 'src/live',
          find: '  if (hot.epoch !== stored.epoch || hot.head.seq < stored.seq) return false;\n',
          replace: '  if (hot) return true;\n',
        },
      ],
    }),
    async scene(stage) {
      const { near, far } = stage;
      const ada = await stage.author(near, 'ada');
      await ada.write();
      await stage.saved(1);
      const older = await stage.copyHotLog();
      await ada.write();
      await stage.saved(2);
      await stage.fallBackTo(older);
      const bob = await stage.author(far, 'bob');
      await bob.write();
    },
  },
  {
    rule: 'ST4',
    instead: 'a hot log that has lost entries is believed if the store agrees with it',
    breaks: 'wait',
    off: () => ({
      changes: [{ folder: 'src/live', find: ' && hot.epoch !== lostIn', replace: ' && (lostIn ?? true)' }],
    }),
    async scene(stage) {
      const { near, far } = stage;
      await stage.watch(near);
      const ada = await stage.author(near, 'ada');
      await ada.write();
      await stage.saved(1);
      const older = await stage.copyHotLog();
      const base = near.probe.chain.head;
      const { epoch } = await stage.hot();
      stage.holdSaves(near);
      await ada.write();
      await stage.heard(near, 2);
      // Near might still save what Redis has lost, and does not get round to it.
      stage.die(near);
      await stage.fallBackTo(older);
      const have = { epoch, head: near.probe.chain.head, saved: base };
      await stage.within('somebody who has heard more than Redis has to be let in elsewhere', () =>
        ada.tryToJoin(far.server, have),
      );
    },
  },
];
