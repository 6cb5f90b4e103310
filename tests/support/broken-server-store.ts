import { markOf } from '../../src/protocol/entry';
import { FlowError } from '../../src/protocol/errors';
import type { AccessChanges } from '../../src/storage/access-changes';
import type { DocumentStore } from '../../src/storage/document-store';
import type { OperationLog, SaveResult, SessionSave } from '../../src/storage/operation-log';
import type { SessionRecords } from '../../src/storage/session-records';
import type { SessionRoles } from '../../src/storage/session-roles';
import type { Snapshots } from '../../src/storage/snapshots';

/** A store that says "saved" at once and commits a while later, as one does that trusts its memory. */
export class HastyDocumentStore implements DocumentStore {
  readonly kind: string;
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;
  readonly #inner: DocumentStore;
  readonly #delayMs: number;
  #committing: Promise<unknown> = Promise.resolve();

  constructor(inner: DocumentStore, delayMs: number) {
    this.#inner = inner;
    this.#delayMs = delayMs;
    this.kind = inner.kind;
    this.sessionRecords = inner.sessionRecords;
    this.sessionRoles = inner.sessionRoles;
    this.snapshots = inner.snapshots;
    this.accessChanges = inner.accessChanges;
    const { operationLog } = inner;
    this.operationLog = {
      durability: operationLog.durability,
      head: (sessionId) => operationLog.head(sessionId),
      openEpoch: (sessionId, seen, above) => operationLog.openEpoch(sessionId, seen, above),
      readAfter: (sessionId, afterSeq, maxBytes) => operationLog.readAfter(sessionId, afterSeq, maxBytes),
      tagAt: (sessionId, seq) => operationLog.tagAt(sessionId, seq),
      clientRow: (sessionId, clientId) => operationLog.clientRow(sessionId, clientId),
      prune: (sessionId, seq, before) => operationLog.prune(sessionId, seq, before),
      save: (saves) => this.#promise(saves),
    };
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  async stop(): Promise<void> {
    await this.#committing;
    await this.#inner.stop();
  }

  async #promise(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    this.#committing = this.#committing
      .then(() => new Promise((resolve) => setTimeout(resolve, this.#delayMs)))
      .then(() => this.#inner.operationLog.save(saves));
    return saves.map(({ entries }): SaveResult => {
      const last = entries[entries.length - 1];
      return last ? { status: 'saved', head: markOf(last) } : { status: 'fenced', epoch: 0 };
    });
  }
}

/** A store that takes nothing while somebody says so. */
export class RefusingDocumentStore implements DocumentStore {
  readonly kind: string;
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;
  readonly #inner: DocumentStore;

  constructor(inner: DocumentStore, refuses: () => boolean) {
    const { operationLog } = inner;
    const demandWilling = (): void => {
      if (refuses()) throw new FlowError('STORE_UNAVAILABLE', 'The store refuses.');
    };
    this.#inner = inner;
    this.kind = inner.kind;
    this.sessionRecords = inner.sessionRecords;
    this.sessionRoles = inner.sessionRoles;
    this.snapshots = inner.snapshots;
    this.accessChanges = inner.accessChanges;
    this.operationLog = {
      durability: operationLog.durability,
      head: (sessionId) => operationLog.head(sessionId),
      readAfter: (sessionId, afterSeq, maxBytes) => operationLog.readAfter(sessionId, afterSeq, maxBytes),
      tagAt: (sessionId, seq) => operationLog.tagAt(sessionId, seq),
      clientRow: (sessionId, clientId) => operationLog.clientRow(sessionId, clientId),
      prune: (sessionId, seq, before) => operationLog.prune(sessionId, seq, before),
      openEpoch: async (sessionId, seen, above) => {
        demandWilling();
        return operationLog.openEpoch(sessionId, seen, above);
      },
      save: async (saves) => {
        demandWilling();
        return operationLog.save(saves);
      },
    };
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }
}
