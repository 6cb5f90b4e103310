import type { RuleInScene } from './scene';
import { NO_AUDIT, NOWHERE, STEADY_SAVER } from './stage';

export const SAVING_SCENES: readonly RuleInScene[] = [
  {
    rule: 'SV1',
    instead: 'whoever takes over saving goes on from its own tail, not from where the store is',
    breaks: 'wait',
    off: () => ({
      changes: [
        {
          folder: 'src/live',
          find: 'const stored = await operationLog.head(this.sessionId);\n    if (!stored) return;\n    let unsaved',
          replace: 'const stored = this.#feed.tail.head;\n    void operationLog;\n    let unsaved',
        },
      ],
    }),
    async scene(stage) {
      const { near, far } = stage;
      const ada = await stage.author(near, 'ada');
      await stage.watch(far);
      stage.holdSaves(near);
      await ada.write();
      await stage.heard(far, 1);
      stage.die(near);
      await stage.within('what the dead one had not saved to be saved', async () => (await stage.stored()).seq === 1);
    },
  },
  {
    rule: 'SV2',
    instead: 'nobody writes down which sessions may have something unsaved',
    breaks: 'wait',
    off: () => ({
      changes: [
        {
          folder: 'src/ordering',
          find: "await this.#redis.ask('mark unsaved', (client) => client.sadd(this.#keys.orderingUnsaved(), ...sessionIds));",
          replace: '',
        },
        {
          folder: 'src/ordering',
          find: "await this.#redis.ask('mark unsaved', (client) => client.sadd(this.#keys.orderingUnsaved(), sessionId));",
          replace: 'void sessionId;',
        },
      ],
    }),
    async scene(stage) {
      const { near } = stage;
      const ada = await stage.author(near, 'ada');
      stage.holdSaves(near);
      await ada.write();
      stage.die(near);
      await stage.within('somebody who never had it open to save it', async () => (await stage.stored()).seq === 1);
    },
  },
  {
    rule: 'SV2',
    instead: 'a session that is closed leaves the list, saved or not',
    breaks: 'wait',
    off: () => ({
      changes: [{ folder: 'src/ordering', find: 'if meta[2] ~= meta[3] then return 0 end\n', replace: '' }],
    }),
    async scene(stage) {
      const { near, far } = stage;
      const ada = await stage.author(near, 'ada');
      stage.holdSaves(near);
      await ada.write();
      // The other one must not look while this one is still ending.
      stage.lead(far, NOWHERE);
      await near.server.stop();
      stage.die(near);
      stage.lead(far, stage.redis.server.port);
      await stage.within('somebody who never had it open to save it', async () => (await stage.stored()).seq === 1);
    },
  },
  {
    rule: 'SV2',
    instead: 'the hot log is trimmed beyond what is saved',
    breaks: 'saved',
    staging: { near: STEADY_SAVER },
    off: () => ({
      changes: [
        {
          folder: 'src/ordering',
          find: "'epoch', 'seq', 'savedSeq')\nif meta[1] ~= ARGV[1] or",
          replace: "'epoch', 'seq', 'savedSeq', 'tag')\nARGV[2], ARGV[3] = meta[2], meta[4]\nif meta[1] ~= ARGV[1] or",
        },
      ],
    }),
    async scene(stage) {
      const { near, far } = stage;
      await stage.watch(near, far);
      const ada = await stage.author(near, 'ada');
      const letFirst = stage.holdSaves(near);
      await ada.write();
      await stage.until('the first save to begin', () => near.store.counts.savesBegun === 1);
      await ada.write();
      const letSecond = stage.holdSaves(near);
      letFirst();
      await stage.until('Redis to be told', async () => (await stage.hot()).savedSeq > 0);
      await stage.toldSaved();
      letSecond();
    },
  },
  {
    rule: 'SV3',
    instead: 'news about saved is believed whatever the own tail has there',
    breaks: 'saved',
    staging: { near: STEADY_SAVER, far: NO_AUDIT },
    off: () => ({
      changes: [
        { folder: 'src/live', find: "    if (own === null) return 'no news';\n", replace: '' },
        {
          folder: 'src/live',
          find: "    if (own !== undefined && own !== tag) return 'contradiction';\n",
          replace: '    void own;\n',
        },
      ],
    }),
    async scene(stage) {
      const { near, far } = stage;
      await stage.watch(near, far);
      const ada = await stage.author(near, 'ada');
      const letSave = stage.holdSaves(near);
      // Far never hears of the operation, and hears that it is saved.
      await stage.loseHints(far, 1, () => ada.write());
      const { passed } = far.line.counts;
      letSave();
      await stage.until('far to hear of it', () => far.line.counts.passed > passed);
      // Whoever joins makes those who are there hear what there is to tell; then something else makes the hole known.
      await stage.author(far, 'bob');
      await ada.write();
      await stage.heard(far, 2);
    },
  },
];
