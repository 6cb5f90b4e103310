import type { DocumentStore } from '../document-store';
import type { OperationLog } from '../operation-log';
import type { SessionRecords } from '../session-records';
import type { Snapshots } from '../snapshots';
import { LmdbEngine, type LmdbEngineOptions } from './lmdb-engine';
import { LmdbOperationLog } from './lmdb-operation-log';
import { LmdbSessionRecords } from './lmdb-session-records';
import { LmdbSnapshots } from './lmdb-snapshots';

/** Documents in files of this machine. Several processes may share the directory. */
export class LmdbDocumentStore implements DocumentStore {
  readonly kind = 'lmdb';
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly snapshots: Snapshots;
  readonly #engine: LmdbEngine;

  constructor(options: LmdbEngineOptions) {
    this.#engine = new LmdbEngine(options);
    this.operationLog = new LmdbOperationLog(this.#engine, options.durability);
    this.sessionRecords = new LmdbSessionRecords(this.#engine);
    this.snapshots = new LmdbSnapshots(this.#engine);
  }

  start(): Promise<void> {
    return this.#engine.start();
  }

  stop(): Promise<void> {
    return this.#engine.stop();
  }
}
