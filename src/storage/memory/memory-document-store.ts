import type { DocumentStore } from '../document-store';
import type { AccessChanges } from '../access-changes';
import type { OperationLog } from '../operation-log';
import type { SessionRecords } from '../session-records';
import type { Snapshots } from '../snapshots';
import { MemoryAccessChanges } from './memory-access-changes';
import type { Histories } from './memory-histories';
import { MemoryOperationLog } from './memory-operation-log';
import { MemorySessionRecords } from './memory-session-records';
import { MemorySnapshots } from './memory-snapshots';

/** Documents that end with the process: for tests and for servers whose documents are meant to. */
export class MemoryDocumentStore implements DocumentStore {
  readonly kind = 'memory';
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;

  constructor() {
    const histories: Histories = new Map();
    this.operationLog = new MemoryOperationLog(histories);
    this.sessionRecords = new MemorySessionRecords(histories);
    this.snapshots = new MemorySnapshots(histories);
    this.accessChanges = new MemoryAccessChanges();
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}
}
