import { FlowError } from '../../src/protocol/errors';
import type { AccessChanges } from '../../src/storage/access-changes';
import type { DocumentStore } from '../../src/storage/document-store';
import type { OperationLog } from '../../src/storage/operation-log';
import type { SessionRecords } from '../../src/storage/session-records';
import type { SessionRoles } from '../../src/storage/session-roles';
import type { Snapshots } from '../../src/storage/snapshots';

/** A store with switches; it counts what they did. Stopping it leaves the real one open, for the server that comes next. */
export class FaultyStore implements DocumentStore {
  readonly kind: string;
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;
  /** While true no save succeeds. */
  isFull = false;
  /** How long every save takes. */
  saveMs = 0;
  /** When set, a client's row is read at once, but answered only when this resolves. */
  heldClientRows: Promise<void> | undefined;
  /** When set, a save that begins is carried out only when this resolves. */
  heldSaves: Promise<void> | undefined;
  readonly counts = { savesRefused: 0, pagesRead: 0, saves: 0, clientRowsRead: 0, savesBegun: 0 };
  readonly #store: DocumentStore;

  constructor(store: DocumentStore) {
    this.#store = store;
    const { operationLog, sessionRecords, sessionRoles, snapshots, accessChanges } = store;
    this.kind = store.kind;
    this.sessionRecords = sessionRecords;
    this.sessionRoles = sessionRoles;
    this.snapshots = snapshots;
    this.accessChanges = accessChanges;
    this.operationLog = {
      durability: operationLog.durability,
      head: (sessionId) => operationLog.head(sessionId),
      openEpoch: (...args) => operationLog.openEpoch(...args),
      tagAt: (...args) => operationLog.tagAt(...args),
      clientRow: async (...args) => {
        const row = await operationLog.clientRow(...args);
        this.counts.clientRowsRead += 1;
        await this.heldClientRows;
        return row;
      },
      prune: (...args) => operationLog.prune(...args),
      readAfter: (...args) => {
        this.counts.pagesRead += 1;
        return operationLog.readAfter(...args);
      },
      save: async (saves) => {
        if (this.isFull) {
          this.counts.savesRefused += 1;
          throw new FlowError('STORE_UNAVAILABLE', 'The disk is full.');
        }
        this.counts.savesBegun += 1;
        await this.heldSaves;
        this.counts.saves += 1;
        if (this.saveMs > 0) await new Promise((resolve) => setTimeout(resolve, this.saveMs));
        return operationLog.save(saves);
      },
    };
  }

  start(): Promise<void> {
    return this.#store.start();
  }

  async stop(): Promise<void> {}
}
