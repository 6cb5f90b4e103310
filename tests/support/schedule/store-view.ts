import { FlowError } from '../../../src/protocol/errors';
import type { AccessChanges } from '../../../src/storage/access-changes';
import type { DocumentStore } from '../../../src/storage/document-store';
import type { OperationLog, SaveResult, SessionSave } from '../../../src/storage/operation-log';
import type { SessionRecords } from '../../../src/storage/session-records';
import type { SessionRoles } from '../../../src/storage/session-roles';
import type { Snapshots } from '../../../src/storage/snapshots';
import type { Dice } from './dice';
import type { Freezer } from './freezer';
import { elapsed } from './pipe';
import type { Severance } from './severance';
import type { Trace } from './trace';

/** What goes wrong between one instance and the store, for as long as it is set. */
export interface StoreFaults {
  /** `unwritten`: everything is refused. `written`: a save is carried out, and refused all the same. */
  refuses: 'unwritten' | 'written' | null;
  /** Saves do not begin. */
  isStalled: boolean;
}

export const noStoreFaults = (): StoreFaults => ({ refuses: null, isStalled: false });

interface ViewOptions {
  readonly store: DocumentStore;
  readonly faults: StoreFaults;
  readonly severance: Severance;
  readonly freezer: Freezer;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly onSaved: (saves: readonly SessionSave[], results: readonly SaveResult[]) => void;
  readonly onEpochOpened: (sessionId: string, epoch: number) => void;
}

/** How long a stalled save waits before it looks again, milliseconds. */
const STALL_STEP_MS = 4;

/** The store as one instance sees it: it takes its time, fails when told to, and hears nothing of an instance that is no more. */
export function storeView(options: ViewOptions): DocumentStore {
  const { store, faults, severance, freezer, dice, trace } = options;

  function demandUp(): void {
    if (severance.isSevered) throw unavailable();
    if (faults.refuses !== 'unwritten') return;
    trace.count('refused by the store');
    throw unavailable();
  }

  async function ask<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    await elapsed(latencyMs());
    await freezer.passed();
    demandUp();
    const answer = await run();
    await elapsed(latencyMs());
    await freezer.passed();
    if (severance.isSevered) throw unavailable();
    return answer;
  }

  const latencyMs = (): number => (dice.chance(0.8) ? 0 : dice.between(1, 3));

  async function save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    // To the writer of a process that is no more, so that it comes to rest; nothing is written.
    if (severance.isSevered) return saves.map(() => ({ status: 'fenced', epoch: 0 }));
    while (faults.isStalled && !severance.isSevered) {
      trace.count('stalled saves');
      await elapsed(STALL_STEP_MS);
    }
    return ask(async () => {
      const results = await store.operationLog.save(saves);
      options.onSaved(saves, results);
      if (faults.refuses === 'written') {
        trace.count('written and refused by the store');
        throw unavailable();
      }
      return results;
    });
  }

  const operationLog: OperationLog = {
    durability: store.operationLog.durability,
    head: (sessionId) => ask(() => store.operationLog.head(sessionId)),
    openEpoch: (sessionId, seen, above) =>
      ask(async () => {
        const opened = await store.operationLog.openEpoch(sessionId, seen, above);
        if (opened) options.onEpochOpened(sessionId, opened.epoch);
        return opened;
      }),
    save,
    readAfter: (sessionId, afterSeq, maxBytes) =>
      ask(() => store.operationLog.readAfter(sessionId, afterSeq, maxBytes)),
    tagAt: (sessionId, seq) => ask(() => store.operationLog.tagAt(sessionId, seq)),
    clientRow: (sessionId, clientId) => ask(() => store.operationLog.clientRow(sessionId, clientId)),
    prune: (sessionId, seq, before) => ask(() => store.operationLog.prune(sessionId, seq, before)),
  };
  const { sessionRecords, sessionRoles, snapshots, accessChanges } = store;
  const records: SessionRecords = {
    create: (record) => ask(() => sessionRecords.create(record)),
    get: (sessionId) => ask(() => sessionRecords.get(sessionId)),
    update: (sessionId, change) => ask(() => sessionRecords.update(sessionId, change)),
    list: (query) => ask(() => sessionRecords.list(query)),
    copy: (sourceId, record) => ask(() => sessionRecords.copy(sourceId, record)),
  };
  const roles: SessionRoles = {
    of: (...args) => ask(() => sessionRoles.of(...args)),
    list: (sessionId) => ask(() => sessionRoles.list(sessionId)),
    set: (...args) => ask(() => sessionRoles.set(...args)),
  };
  const kept: Snapshots = {
    latest: (sessionId) => ask(() => snapshots.latest(sessionId)),
    latestMark: (sessionId) => ask(() => snapshots.latestMark(sessionId)),
    put: (sessionId, snapshot) => ask(() => snapshots.put(sessionId, snapshot)),
  };
  const changes: AccessChanges = {
    append: (...args) => ask(() => accessChanges.append(...args)),
    after: (...args) => ask(() => accessChanges.after(...args)),
    prune: (...args) => ask(() => accessChanges.prune(...args)),
  };
  return {
    kind: store.kind,
    operationLog,
    sessionRecords: records,
    sessionRoles: roles,
    snapshots: kept,
    accessChanges: changes,
    // All instances share one; it outlives them.
    start: async () => {},
    stop: async () => {},
  };
}

const unavailable = (): FlowError => new FlowError('STORE_UNAVAILABLE', undefined, { retryAfterMs: 5 });
