import type { InstanceLeases } from '../../instances/instance-leases';
import type { Clock } from '../../lib/clock';
import type { DocumentStore } from '../document-store';
import type { AccessChanges } from '../access-changes';
import type { OperationLog } from '../operation-log';
import type { SessionRecords } from '../session-records';
import type { SessionRoles } from '../session-roles';
import type { Snapshots } from '../snapshots';
import { LmdbAccessChanges } from './lmdb-access-changes';
import { sweepCopies } from './lmdb-copies';
import { LmdbEngine, type LmdbEngineOptions } from './lmdb-engine';
import { LmdbInstanceLeases } from './lmdb-instance-leases';
import { LmdbOperationLog } from './lmdb-operation-log';
import { LmdbSessionRecords } from './lmdb-session-records';
import { LmdbSessionRoles } from './lmdb-session-roles';
import { LmdbSnapshots } from './lmdb-snapshots';

/** Documents in files of this machine. Several processes may share the directory. */
export class LmdbDocumentStore implements DocumentStore {
  readonly kind = 'lmdb';
  readonly operationLog: OperationLog;
  readonly sessionRecords: SessionRecords;
  readonly sessionRoles: SessionRoles;
  readonly snapshots: Snapshots;
  readonly accessChanges: AccessChanges;
  readonly #engine: LmdbEngine;

  constructor(options: LmdbEngineOptions) {
    this.#engine = new LmdbEngine(options);
    this.operationLog = new LmdbOperationLog(this.#engine, options.durability);
    this.sessionRecords = new LmdbSessionRecords(this.#engine);
    this.sessionRoles = new LmdbSessionRoles(this.#engine);
    this.snapshots = new LmdbSnapshots(this.#engine);
    this.accessChanges = new LmdbAccessChanges(this.#engine);
  }

  /** Who has this store open. */
  instanceLeases(clock: Clock): InstanceLeases {
    return new LmdbInstanceLeases(this.#engine, clock);
  }

  /** Which file of which machine this is; two with the same one share all that is in it. Once started. */
  place(): Promise<string> {
    return this.#engine.place();
  }

  trouble(): string | null {
    return this.#engine.trouble();
  }

  async start(): Promise<void> {
    await this.#engine.start();
    // The engine tells of a failure; the next start tries again.
    await sweepCopies(this.#engine).catch(() => {});
  }

  stop(): Promise<void> {
    return this.#engine.stop();
  }
}
