import { AllOrNothingLog, ForgetfulLog, OverwritingLog, takenWhole, UnfencedLog } from './broken-logs';
import { elapsed } from './pipe';
import { LOG_TROUBLE, TAKEN_OVER } from './profiles';
import { changedServer, otherLog, otherOrdering, storeWith, type RuleOff } from './rule-off';

export const STORE_RULES_OFF: readonly RuleOff[] = [
  {
    rule: 'ST1',
    instead: 'an epoch is opened without being raised',
    breaks: ['wait', 'complete'],
    profile: TAKEN_OVER,
    parts: otherLog((real) => ({
      async openEpoch(sessionId, seen, above) {
        const head = await real.head(sessionId);
        return head && head.epoch > 0 ? head : real.openEpoch(sessionId, seen, above);
      },
    })),
  },
  {
    rule: 'ST2',
    instead: 'a save replaces what the store has at its place',
    breaks: ['saved'],
    profile: LOG_TROUBLE,
    parts: storeWith((histories) => new OverwritingLog(histories)),
  },
  {
    rule: 'ST2',
    instead: 'a save under an epoch that is over is taken if it continues the history',
    breaks: ['wait', 'complete'],
    profile: TAKEN_OVER,
    parts: storeWith((histories) => new UnfencedLog(histories)),
  },
  {
    rule: 'ST3',
    instead: 'a save is answered before it is written',
    breaks: ['saved'],
    profile: { sessions: ['json'], faults: { kill: 1, 'lose hints': 1 }, faultCount: 4 },
    parts: otherLog((real) => ({
      async save(saves) {
        void elapsed(20)
          .then(() => real.save(saves))
          .catch(() => {});
        return saves.map(takenWhole);
      },
    })),
  },
  {
    rule: 'ST4',
    instead: 'a hot log is believed whatever the store and the clients say',
    breaks: ['saved', 'complete'],
    profile: { ...LOG_TROUBLE, faults: { 'stale log': 1 }, faultCount: 1, cutCount: 0 },
    parts: changedServer(
      {
        folder: 'src/live',
        find: '  if (hot.epoch !== stored.epoch || hot.head.seq < stored.seq) return false;\n',
        replace: '  if (hot) return true;\n',
      },
      {
        folder: 'src/live',
        find: '    if (!have || have.epoch < this.#feed.tail.epoch',
        replace: '    if (!have || have.epoch > 0',
      },
    ),
  },
  {
    rule: 'ST4',
    instead: 'a hot log that has lost entries is believed if the store agrees with it',
    breaks: ['unique', 'wait', 'complete'],
    profile: {
      ...LOG_TROUBLE,
      faults: { 'fall back': 1 },
      faultCount: 4,
      config: { saveIntervalMs: 300 },
    },
    parts: changedServer({
      folder: 'src/live',
      find: ' && hot.epoch !== lostIn',
      replace: ' && (lostIn ?? true)',
    }),
  },
  {
    rule: 'ST5',
    instead: 'a process that was fenced opens the session again',
    breaks: ['fencing'],
    profile: { ...TAKEN_OVER, faultCount: 3, cutCount: 1 },
    parts: changedServer({
      folder: 'src/live',
      find: "if (this.#services.ordering.scope === 'shared' && this.#state.kind !== 'draining') {",
      replace: 'if (status) {',
    }),
  },
  {
    rule: 'ST6',
    instead: 'one session that is fenced fails the save of all',
    breaks: ['wait'],
    profile: { ...TAKEN_OVER, sessions: ['json', 'json'] },
    parts: storeWith((histories) => new AllOrNothingLog(histories)),
  },
  {
    rule: 'ST10',
    instead: 'pruning goes beyond the snapshot',
    breaks: ['dense'],
    profile: {
      sessions: ['yjs'],
      store: 'memory',
      faults: { snapshot: 1 },
      cutCount: 1,
      config: { snapshotEntries: 20 },
    },
    parts: storeWith((histories) => new ForgetfulLog(histories)),
  },
  {
    rule: 'SV2',
    instead: 'the hot log is trimmed beyond what is saved',
    breaks: ['saved'],
    profile: { ...LOG_TROUBLE, faults: { 'stall saves': 2, kill: 1 } },
    parts: otherOrdering((real) => ({
      async markSaved(sessionId, saved) {
        const [log] = await real.describe([sessionId]);
        await real.markSaved(sessionId, log ? { epoch: log.epoch, ...log.head } : saved);
      },
    })),
  },
];
