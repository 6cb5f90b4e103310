import type { RuleInScene } from './scene';

export const ORDER_SCENES: readonly RuleInScene[] = [
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
      const ada = await stage.author(near, 'ada');
      await ada.write();
      // Ada comes again; what the store knows of her is read before it has what she wrote …
      const letGo = await stage.lateClientRow(near, () => ada.tryToJoin(near.server));
      // … and comes to the hot log after another epoch has begun.
      letNear();
      letFar();
      await stage.saved(1);
      const { epoch } = await stage.hot();
      await stage.loseHotLog();
      await stage.followed(near, epoch);
      await letGo();
    },
  },
  {
    rule: 'EO11',
    instead: 'a join does not bring the row of a client into the hot log',
    breaks: 'unique',
    off: () => ({
      changes: [
        {
          folder: 'src/ordering',
          find: "local stored = ARGV[3] ~= '' and ARGV[3] or '0:0:0::'",
          replace: "local stored = '0:0:0::'",
        },
      ],
    }),
    async scene(stage) {
      const { near, far } = stage;
      const ada = await stage.author(near, 'ada');
      await ada.write();
      await ada.write();
      await stage.saved(2);
      const { epoch } = await stage.hot();
      await stage.loseHotLog();
      await stage.reopened(epoch);
      // To an instance that has nothing of the session in memory.
      await ada.join(far.server);
    },
  },
];

/** Nothing of EO7. */
export const ANY_EPOCH = [
  {
    folder: 'src/ordering',
    find: "if meta[1] ~= epoch then return {'wrong-epoch'} end",
    replace: "if not meta[1] then return {'wrong-epoch'} end\nepoch = meta[1]",
  },
  {
    folder: 'src/ordering',
    find: 'if meta[1] ~= ARGV[1] then return false end',
    replace: 'if not meta[1] then return false end',
  },
] as const;
