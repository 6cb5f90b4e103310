import type { AccessChanges } from '../../src/storage/access-changes';
import type { DocumentStore } from '../../src/storage/document-store';
import type { OperationLog } from '../../src/storage/operation-log';
import type { SessionRecords } from '../../src/storage/session-records';
import type { SessionRoles } from '../../src/storage/session-roles';
import type { Snapshots } from '../../src/storage/snapshots';

/** A store in which some calls of the operation log do something else; the rest is as in the store inside. */
export class WrappedStore implements DocumentStore {
  readonly kind: string;
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;
  readonly #inner: DocumentStore;

  constructor(inner: DocumentStore, changed: (operationLog: OperationLog) => Partial<OperationLog>) {
    const { operationLog } = inner;
    this.#inner = inner;
    this.kind = inner.kind;
    this.sessionRecords = inner.sessionRecords;
    this.sessionRoles = inner.sessionRoles;
    this.snapshots = inner.snapshots;
    this.accessChanges = inner.accessChanges;
    this.operationLog = {
      durability: operationLog.durability,
      head: (...args) => operationLog.head(...args),
      openEpoch: (...args) => operationLog.openEpoch(...args),
      save: (...args) => operationLog.save(...args),
      readAfter: (...args) => operationLog.readAfter(...args),
      tagAt: (...args) => operationLog.tagAt(...args),
      clientRow: (...args) => operationLog.clientRow(...args),
      prune: (...args) => operationLog.prune(...args),
      ...changed(operationLog),
    };
  }

  trouble(): string | null {
    return this.#inner.trouble?.() ?? null;
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }
}
