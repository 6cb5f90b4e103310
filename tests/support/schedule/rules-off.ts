import type { FlowClient } from '../../../src/client/flow-client';
import type { FlowYjsProvider } from '../../../src/client/yjs-provider';
import type { createFlow } from '../../../src/flow';
import type { EventOrdering } from '../../../src/ordering/event-ordering';
import { FlowError } from '../../../src/protocol/errors';
import type { DocumentStore } from '../../../src/storage/document-store';
import type { Histories } from '../../../src/storage/memory/memory-histories';
import { MemoryDocumentStore } from '../../../src/storage/memory/memory-document-store';
import { MemoryOperationLog } from '../../../src/storage/memory/memory-operation-log';
import { MemorySessionRecords } from '../../../src/storage/memory/memory-session-records';
import { MemorySnapshots } from '../../../src/storage/memory/memory-snapshots';
import type { OperationLog, SaveResult, SessionSave } from '../../../src/storage/operation-log';
import { loadChanged, type SourceChange } from './changed-source';
import { elapsed } from './pipe';
import type { Profile } from './plan';
import type { Invariant } from './trace';
import type { Parts } from './world';

/** One rule switched off, and what must come of it. */
export interface RuleOff {
  readonly rule: string;
  /** What is done instead. */
  readonly instead: string;
  /** One of these is named by the schedule that fails. */
  readonly breaks: readonly Invariant[];
  readonly profile: Profile;
  readonly parts: () => Partial<Parts>;
}

// ————— ways of switching off

/** An ordering that is the given one but for some methods. */
const otherOrdering = (methods: (real: EventOrdering) => Partial<EventOrdering>) => (): Partial<Parts> => ({
  ordering: (real) => ({
    scope: real.scope,
    describe: (ids) => real.describe(ids),
    seed: (...given) => real.seed(...given),
    admit: (...given) => real.admit(...given),
    append: (...given) => real.append(...given),
    read: (...given) => real.read(...given),
    markSaved: (...given) => real.markSaved(...given),
    follow: (...given) => real.follow(...given),
    release: (id) => real.release(id),
    ...methods(real),
  }),
});

/** A store whose operation log is the given one but for some methods. */
const otherLog = (methods: (real: OperationLog) => Partial<OperationLog>) => (): Partial<Parts> => ({
  store: (real) => withLog(real, { ...delegate(real.operationLog), ...methods(real.operationLog) }),
});

const withLog = (real: DocumentStore, operationLog: OperationLog): DocumentStore => ({
  kind: real.kind,
  operationLog,
  sessionRecords: real.sessionRecords,
  snapshots: real.snapshots,
  start: () => real.start(),
  stop: () => real.stop(),
});

const delegate = (real: OperationLog): OperationLog => ({
  durability: real.durability,
  head: (id) => real.head(id),
  openEpoch: (...given) => real.openEpoch(...given),
  save: (saves) => real.save(saves),
  readAfter: (...given) => real.readAfter(...given),
  tagAt: (...given) => real.tagAt(...given),
  clientRow: (...given) => real.clientRow(...given),
  prune: (...given) => real.prune(...given),
});

/** A store in memory whose operation log is another class over the same tables. */
const storeWith = (makeLog: (histories: Histories) => OperationLog) => (): Partial<Parts> => {
  const histories: Histories = new Map();
  const store = new MemoryDocumentStore();
  const keptIn = {
    ...withLog(store, makeLog(histories)),
    sessionRecords: new MemorySessionRecords(histories),
    snapshots: new MemorySnapshots(histories),
  };
  return { keptIn };
};

const changedServer =
  (...changes: SourceChange[]) =>
  (): Partial<Parts> => {
    const flow = loadChanged('src/flow.ts', changes) as { createFlow: typeof createFlow };
    return { createFlow: flow.createFlow };
  };

const changedClient =
  (...changes: SourceChange[]) =>
  (): Partial<Parts> => {
    const client = loadChanged('src/client/flow-client.ts', changes) as { FlowClient: typeof FlowClient };
    const provider = loadChanged('src/client/yjs-provider.ts', changes) as { FlowYjsProvider: typeof FlowYjsProvider };
    return { FlowClient: client.FlowClient, FlowYjsProvider: provider.FlowYjsProvider };
  };

// ————— broken variants

/** ST2: takes whatever comes, in place of what is there. */
class OverwritingLog extends MemoryOperationLog {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    super(histories);
    this.#histories = histories;
  }

  override async save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    for (const { sessionId, entries } of saves) {
      const history = this.#histories.get(sessionId);
      const [first] = entries;
      if (!history || !first) continue;
      const kept = history.entries.filter(({ seq }) => seq <= first.seq - first.count);
      history.entries = [...kept, ...entries];
      const last = entries[entries.length - 1] ?? first;
      history.head = { seq: last.seq, tag: last.tag };
      for (const { clientId, clientSeq, seq, count, prevTag, tag } of entries)
        history.clients.set(clientId, { clientSeq, seq, count, prevTag, tag });
    }
    return saves.map(({ entries }) => {
      const last = entries[entries.length - 1];
      return { status: 'saved', head: { seq: last?.seq ?? 0, tag: last?.tag ?? '' } };
    });
  }
}

/** ST10: prunes what no snapshot holds. */
class ForgetfulLog extends MemoryOperationLog {
  readonly #histories: Histories;

  constructor(histories: Histories) {
    super(histories);
    this.#histories = histories;
  }

  override async prune(sessionId: string): Promise<number> {
    const removed = this.#histories.get(sessionId)?.entries.splice(0);
    return removed?.length ?? 0;
  }
}

// ————— the rules

const QUIET: Profile = { faultCount: 0, cutCount: 0 };
/** What makes hot log and store disagree. */
const LOG_TROUBLE: Profile = {
  mode: 'shared',
  store: 'memory',
  faults: { 'fall back': 3, vanish: 1, 'stall saves': 1, 'delay hints': 1 },
  faultCount: 8,
  cutCount: 2,
};
const DEATHS: Profile = { mode: 'process', store: 'memory', faults: { kill: 1 }, faultCount: 5, cutCount: 4 };

export const RULES_OFF: readonly RuleOff[] = [
  {
    rule: 'EO2',
    instead: 'a batch that comes again is accepted again, under the next numbers',
    breaks: ['unique'],
    profile: { sessions: ['json'] },
    parts: otherOrdering((real) => ({
      async append(sessionId, submission) {
        const result = await real.append(sessionId, submission);
        if (result.status !== 'duplicate') return result;
        const admitted = await real.admit(sessionId, submission.epoch, submission.clientId, null);
        if (admitted === 'wrong-epoch') return { status: 'wrong-epoch' };
        return real.append(sessionId, { ...submission, firstClientSeq: admitted.lastClientSeq + 1 });
      },
    })),
  },
  {
    rule: 'EO4',
    instead: 'a base is not compared with the head',
    breaks: ['base'],
    profile: { ...QUIET, sessions: ['json'], authors: ['submits', 'proposes', 'proposes'] },
    parts: otherOrdering((real) => ({
      append(sessionId, { base: _, ...submission }) {
        return real.append(sessionId, submission);
      },
    })),
  },
  {
    rule: 'EO11',
    instead: 'a join does not bring the row of a client into the hot log',
    breaks: ['unique', 'order', 'complete', 'wait'],
    profile: { ...DEATHS, sessions: ['json'] },
    parts: otherLog(() => ({ clientRow: async () => null })),
  },
  {
    rule: 'ST2',
    instead: 'a save replaces what the store has at its place',
    breaks: ['saved'],
    profile: { ...LOG_TROUBLE, sessions: ['json'] },
    parts: storeWith((histories) => new OverwritingLog(histories)),
  },
  {
    rule: 'ST3',
    instead: 'a save is answered before it is written',
    breaks: ['saved'],
    profile: { sessions: ['json'] },
    parts: otherLog((real) => ({
      async save(saves) {
        void elapsed(20)
          .then(() => real.save(saves))
          .catch(() => {});
        return saves.map(({ entries }) => {
          const last = entries[entries.length - 1];
          return { status: 'saved', head: { seq: last?.seq ?? 0, tag: last?.tag ?? '' } };
        });
      },
    })),
  },
  {
    rule: 'ST4',
    instead: 'a hot log is believed whatever the store says',
    breaks: ['saved', 'wait', 'tag', 'complete', 'unique'],
    profile: { ...LOG_TROUBLE, sessions: ['json'] },
    parts: changedServer({
      file: 'src/live/opening.ts',
      find: '  if (hot.epoch !== stored.epoch || hot.floor > stored.seq || hot.head.seq < stored.seq) return false;\n',
      replace: '  if (hot) return true;\n',
    }),
  },
  {
    rule: 'ST5',
    instead: 'a process that was fenced opens the session again',
    breaks: ['fencing'],
    profile: {
      mode: 'process',
      store: 'memory',
      sessions: ['json'],
      faults: { 'take over': 1 },
      faultCount: 3,
      cutCount: 1,
    },
    parts: changedServer({
      file: 'src/live/open-session.ts',
      find: "        if (this.#services.ordering.scope === 'shared')\n          return this.#discontinuity(`the store answered ${result.status}`);",
      replace: '        return this.#discontinuity(`the store answered ${result.status}`);',
    }),
  },
  {
    rule: 'ST6',
    instead: 'one session that is fenced fails the save of all',
    breaks: ['wait', 'complete'],
    profile: { ...LOG_TROUBLE, sessions: ['json', 'json'], faults: { 'take over': 1 }, mode: 'process', faultCount: 2 },
    parts: otherLog((real) => ({
      async save(saves) {
        const results = await real.save(saves);
        if (results.some(({ status }) => status !== 'saved')) throw new FlowError('STORE_UNAVAILABLE');
        return results;
      },
    })),
  },
  {
    rule: 'ST10',
    instead: 'pruning goes beyond the snapshot',
    breaks: ['dense', 'saved', 'complete'],
    profile: { sessions: ['yjs'], store: 'memory', config: { snapshotEntries: 20, ringEntries: 8 } },
    parts: storeWith((histories) => new ForgetfulLog(histories)),
  },
  {
    rule: 'SV2',
    instead: 'the hot log is trimmed beyond what is saved',
    breaks: ['saved', 'complete', 'dense'],
    profile: { ...LOG_TROUBLE, sessions: ['json'], faults: { 'stall saves': 2, kill: 1 } },
    parts: otherOrdering((real) => ({
      async markSaved(sessionId, saved) {
        const [log] = await real.describe([sessionId]);
        await real.markSaved(sessionId, log ? { epoch: log.epoch, ...log.head } : saved);
      },
    })),
  },
  {
    rule: 'SV3',
    instead: 'news about saved is believed whatever the own tail has there',
    breaks: ['saved'],
    profile: { ...LOG_TROUBLE, sessions: ['json'] },
    parts: changedServer({
      file: 'src/live/open-session.ts',
      find: "    if (own === null) return;\n    if (own !== undefined && own !== saved.tag) return this.#discontinuity('what is saved is not what was delivered');\n",
      replace: '    void own;\n',
    }),
  },
  {
    rule: 'DL1',
    instead: 'a join leaves the pending frame for later',
    breaks: ['delivered'],
    profile: { ...QUIET, config: { fanoutIntervalMs: 10 } },
    parts: changedServer({
      file: 'src/live/open-session.ts',
      find: '      this.#fanOut.flush();\n      const rest = this.#tail.after(next.seq);',
      replace: '      const rest = this.#tail.after(next.seq);',
    }),
  },
  {
    rule: 'DL1',
    instead: 'a connection enters the room a turn after its reply',
    breaks: ['delivered'],
    profile: QUIET,
    parts: changedServer({
      file: 'src/live/open-session.ts',
      find: '    else sockets.enter(connectionId, this.sessionId);',
      replace: '    else setImmediate(() => sockets.enter(connectionId, this.sessionId));',
    }),
  },
  {
    rule: 'DL2',
    instead: 'the gate lets everything newer pass',
    breaks: ['delivered', 'tag'],
    profile: { mode: 'shared', faults: { 'lose hints': 1, 'reorder hints': 1, 'double hints': 1 }, cutCount: 1 },
    parts: changedServer({
      file: 'src/live/tail.ts',
      find: "    if (prevSeq > this.#head.seq) return 'hole';\n    if (prevSeq < this.#head.seq || entry.prevTag !== this.#head.tag) return 'break';\n",
      replace: '',
    }),
  },
  {
    rule: 'DL3',
    instead: 'there is no audit',
    breaks: ['wait'],
    profile: { ...QUIET, mode: 'shared', endsMute: true, config: { auditIntervalMs: 3_600_000 } },
    parts: () => ({}),
  },
  {
    rule: 'DL4',
    instead: 'nobody is told that the history is another one now',
    breaks: ['delivered'],
    profile: { ...LOG_TROUBLE, sessions: ['json'] },
    parts: changedServer({
      file: 'src/live/open-session.ts',
      find: "      sockets.toConnectionHere(connectionId, 'session:forked', { sessionId: this.sessionId, epoch, head });\n",
      replace: '',
    }),
  },
  {
    rule: 'CL1',
    instead: 'the library lets go of operations that are ordered, not saved',
    breaks: ['complete', 'wait'],
    profile: { ...DEATHS, sessions: ['json'] },
    parts: changedClient({
      file: 'src/client/held-queue.ts',
      find: '    const kept = this.#ordered.findIndex((batch) => seqOf(batch) > seq);',
      replace: '    const kept = -1;\n    void seq;',
    }),
  },
  {
    rule: 'CL2',
    instead: 'the library does not hold again what a fork took back',
    breaks: ['complete', 'wait'],
    profile: { ...DEATHS, sessions: ['json'] },
    parts: changedClient({
      file: 'src/client/held-queue.ts',
      find: '    const isVoid = (batch: Batch): boolean => seqOf(batch) > seq;',
      replace: '    const isVoid = (batch: Batch): boolean => seqOf(batch) > seq && seq < 0;',
    }),
  },
];
