import type { AccessChanges } from './access-changes';
import type { OperationLog } from './operation-log';
import type { SessionRecords } from './session-records';
import type { SessionRoles } from './session-roles';
import type { Snapshots } from './snapshots';

/** One engine behind the durable ports. Constructing it does no I/O. */
export interface DocumentStore {
  readonly kind: string;
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;

  /** Why nothing can be stored, where that shows without trying: its files were taken away, say. Null: as far as can be seen, it can. Asked often. */
  trouble?(): string | null;

  /** Opens or makes the store, migrating an older format once; rejects with what is needed when it is newer (ST11). */
  start(): Promise<void>;

  /** Resolves when everything accepted is on disk and files are closed. Twice is once. */
  stop(): Promise<void>;
}
