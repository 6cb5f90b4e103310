import type { DocumentStore } from '../document-store';
import type { AccessChanges } from '../access-changes';
import type { OperationLog } from '../operation-log';
import type { SessionRecord, SessionRecords } from '../session-records';
import type { SessionRoles } from '../session-roles';
import type { Snapshots } from '../snapshots';
import { MemoryAccessChanges } from './memory-access-changes';
import type { Histories } from './memory-histories';
import { MemoryOperationLog } from './memory-operation-log';
import { MemorySessionRecords } from './memory-session-records';
import { MemorySessionRoles, type Granted } from './memory-session-roles';
import { MemorySnapshots } from './memory-snapshots';

/** Documents that end with the process: for tests and for servers whose documents are meant to. */
export class MemoryDocumentStore implements DocumentStore {
  readonly kind = 'memory';
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;

  constructor() {
    const histories: Histories = new Map();
    const records = new Map<string, SessionRecord>();
    const granted: Granted = new Map();
    const accessChanges = new MemoryAccessChanges();
    this.operationLog = new MemoryOperationLog(histories);
    this.sessionRecords = new MemorySessionRecords({ records, granted, histories });
    this.sessionRoles = new MemorySessionRoles({ records, granted, accessChanges });
    this.snapshots = new MemorySnapshots(histories);
    this.accessChanges = accessChanges;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}
}
