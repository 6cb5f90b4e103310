import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { thisMachine } from '../../lib/machine';
import { makeDirectory } from '../../lib/make-directory';
import type { Logger } from '../../lib/logger';
import { syncToDisk } from '../../lib/sync-to-disk';
import { faultCode } from '../../lib/system-faults';
import { FlowError } from '../../protocol/errors';
import { refuseNetworkDisk } from './lmdb-disk';
import { checkFile } from './lmdb-file';
import { bringUpToFormat, checkFormat } from './lmdb-format';
import { openTables, type Tables } from './lmdb-tables';

export interface LmdbEngineOptions {
  /** Made if it is not there. Must be on a disk of this machine. */
  readonly directory: string;
  readonly durability: 'fsync' | 'buffered';
  readonly log: Logger;
  /** Address space reserved at first; the map doubles when a store outgrows it. Costs neither memory nor disk. */
  readonly initialMapBytes?: number;
}

export const FILE_NAME = 'documents.mdb';
/** 1 GiB: rarely outgrown, and small enough for any container. */
const INITIAL_MAP_BYTES = 1_073_741_824;
/** Jobs in one transaction: they run on the main thread, so they must not hold it for long. */
const MAX_JOBS = 256;
/** A disk that is full or failing is rarely well again sooner. */
const RETRY_AFTER_MS = 1_000;

/**
 * Files this process has open. Opening one twice would let go of its locks, because POSIX drops all locks a process has on a file
 * with the first descriptor it closes; another process could then write beside us.
 */
const openPaths = new Set<string>();

interface Job {
  /** Runs inside the write transaction; what it returns is called when the transaction is as durable as promised. */
  readonly run: (tables: Tables) => () => void;
  readonly reject: (fault: FlowError) => void;
  readonly isOnDisk: boolean;
}

interface Opened {
  readonly root: RootDatabase;
  readonly tables: Tables;
}

/**
 * One LMDB environment: group commit for writes, snapshots for reads, reopening after a fault.
 *
 * Without overlapping sync a commit syncs the data, writes the meta page synchronously and only then shows itself to anyone, so
 * whatever can be read is on disk. One transaction runs at a time: after a failed one the environment may be poisoned
 * (writes on it would wait for ever), and is opened anew before anything else touches it.
 */
export class LmdbEngine {
  readonly #options: LmdbEngineOptions;
  readonly #path: string;
  #isRunning = false;
  /** Device and number of the file that is open; null before there is one. */
  #file: string | null = null;
  #isMissed = false;
  #opened: Opened | null = null;
  #closing: Promise<void> | null = null;
  readonly #waiting: Job[] = [];
  #draining: Promise<void> | null = null;

  constructor(options: LmdbEngineOptions) {
    this.#options = options;
    this.#path = resolve(options.directory, FILE_NAME);
  }

  async start(): Promise<void> {
    if (this.#isRunning) return;
    if (openPaths.has(this.#path)) {
      throw new FlowError(
        'STORE_UNAVAILABLE',
        'This process has the document store open already: share one store object.',
      );
    }
    openPaths.add(this.#path);
    try {
      await makeDirectory(this.#options.directory);
      await refuseNetworkDisk(this.#options.directory);
      await checkFile(this.#path);
      const { root, tables } = this.#open();
      // Damage that is met inside a transaction is reported as a fault of the transaction.
      tables.meta.get('format');
      await root.childTransaction(() => bringUpToFormat(tables));
      this.#file = fileAt(this.#path);
      // The file's name is in its directory, and a loss of power could take that away too.
      await syncToDisk(this.#options.directory, 'r');
      this.#isRunning = true;
    } catch (cause) {
      await this.#close();
      throw await toStoreFault(cause, `The document store ${this.#path} cannot be opened.`);
    }
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    await this.#draining;
    await this.#close();
    this.#file = null;
    if (this.#options.durability === 'buffered') await syncToDisk(this.#path, 'r+');
  }

  /** Whatever the file is called, and in whatever container. */
  async place(): Promise<string> {
    if (this.#file === null) throw notOpen();
    return `${thisMachine()} ${this.#file}`;
  }

  /**
   * Why nothing may be stored, or null. A file that was deleted takes whatever is written to it until it is closed, and then nothing of it is
   * left: looking at the path is the only way to know.
   */
  trouble(): string | null {
    const isMissed = this.#file !== null && fileAt(this.#path) !== this.#file;
    const { log } = this.#options;
    if (isMissed && !this.#isMissed) log.error({ file: this.#path, remedy: MISSED_REMEDY }, `the ${MISSED}`);
    if (!isMissed && this.#isMissed) log.info({ file: this.#path }, 'the file of the document store is back');
    this.#isMissed = isMissed;
    return isMissed ? `The ${MISSED}. ${MISSED_REMEDY}` : null;
  }

  /** Asks one consistent snapshot, as new as any process has committed. */
  async read<Answer>(ask: (tables: Tables) => Answer): Promise<Answer> {
    if (!this.#isRunning) throw notOpen();
    while (this.#closing) await this.#closing;
    try {
      const { root, tables } = this.#opened ?? this.#reopen();
      root.resetReadTxn();
      return ask(tables);
    } catch (cause) {
      if (cause instanceof FlowError) throw cause;
      if (!this.#draining && !this.#isMissed) this.#discard();
      throw await toStoreFault(cause);
    }
  }

  /**
   * Runs `change` in a write transaction, together with whatever else waits, and resolves with its answer when that is as durable
   * as configured; with `isOnDisk`, when it survives a loss of power in any case. A rejection means that nothing was written, or
   * that a later read shows it.
   */
  write<Answer>(change: (tables: Tables) => Answer, { isOnDisk = false } = {}): Promise<Answer> {
    if (!this.#isRunning) return Promise.reject(notOpen());
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({
        run: (tables) => {
          const answer = change(tables);
          return () => resolve(answer);
        },
        reject,
        isOnDisk,
      });
      this.#draining ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#commit();
    // In the turn of the last look: a write that comes later finds nobody at work and begins again.
    this.#draining = null;
  }

  /** One transaction. Never rejects: its jobs do. */
  async #commit(): Promise<void> {
    const jobs: Job[] = [];
    const settlements: Array<() => void> = [];
    let running: Job | undefined;
    try {
      while (this.#closing) await this.#closing;
      const { root, tables } = this.#opened ?? this.#reopen();
      this.#demandFile();
      await root.childTransaction(() => {
        checkFormat(tables);
        while (jobs.length < MAX_JOBS) {
          running = this.#waiting.shift();
          if (!running) break;
          jobs.push(running);
          settlements.push(running.run(tables));
        }
        running = undefined;
      });
      // Before anybody is told: what went into a file that is gone is not stored.
      this.#demandFile();
      const isSynced = this.#options.durability === 'fsync';
      if (!isSynced && jobs.some(({ isOnDisk }) => isOnDisk)) await syncToDisk(this.#path, 'r+');
      for (const settle of settlements) settle();
    } catch (cause) {
      // The last that has the documents, if their file is gone.
      if (!this.#isMissed) this.#discard();
      const fault = await toStoreFault(cause);
      this.#options.log.warn({ err: fault, jobs: jobs.length }, 'a transaction of the document store failed');
      // A job that failed by itself must not take the others along: they have their own transaction next.
      if (running) this.#waiting.unshift(...jobs.slice(0, -1));
      const failed = running ? [running] : jobs.length > 0 ? jobs : this.#waiting.splice(0);
      for (const { reject } of failed) reject(fault);
    }
  }

  #open(): Opened {
    const root = open({
      path: this.#path,
      noSubdir: true,
      mapSize: this.#options.initialMapBytes ?? INITIAL_MAP_BYTES,
      overlappingSync: false,
      // Buffered: the data is still synced before the meta page that refers to it, so a loss of power costs the last commit, not the store.
      noMetaSync: this.#options.durability === 'buffered',
      // With it, a failed commit rejects a promise that nobody can reach.
      eventTurnBatching: false,
    });
    this.#opened = { root, tables: openTables(root) };
    return this.#opened;
  }

  /** Never makes a store anew where there was one. */
  #reopen(): Opened {
    this.#demandFile();
    return this.#open();
  }

  #demandFile(): void {
    const trouble = this.trouble();
    if (trouble !== null) throw new FlowError('STORE_UNAVAILABLE', trouble, { retryAfterMs: RETRY_AFTER_MS });
  }

  async #close(): Promise<void> {
    this.#discard();
    await this.#closing;
    openPaths.delete(this.#path);
  }

  /** Closes the environment; the next read or write opens it anew. */
  #discard(): void {
    const opened = this.#opened;
    if (!opened) return;
    this.#opened = null;
    const closed = (): void => {
      this.#closing = null;
    };
    this.#closing = opened.root.close().then(closed, closed);
  }
}

/** Null: there is none, or it cannot be seen. */
function fileAt(path: string): string | null {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

const MISSED = 'file of the document store was deleted, moved or replaced; nothing is saved';
/** As long as the process lives, Linux has a deleted file's content under the descriptors of who holds it. */
const MISSED_REMEDY =
  'Put it back where it was, and saving goes on. If it was deleted, copy it from /proc/<pid>/fd before this process ends; clients hold what they have not seen saved.';

const notOpen = (): FlowError => new FlowError('STORE_UNAVAILABLE', 'The document store is not open.');

/** Whatever the engine throws, as something its callers can act on. */
async function toStoreFault(fault: unknown, message?: string): Promise<FlowError> {
  if (fault instanceof FlowError) return fault;
  let cause = fault;
  // A failed commit hands its reason over as a rejected promise, which must not stay unhandled.
  if (typeof fault === 'object' && fault !== null && 'commitError' in fault) {
    await Promise.resolve(fault.commitError).catch((reason: unknown) => {
      cause = reason;
    });
  }
  if (faultCode(cause) === String(constants.errno.EIO)) cause = new Error(SHORT_WRITE);
  return new FlowError('STORE_UNAVAILABLE', message, { retryAfterMs: RETRY_AFTER_MS }, { cause });
}

/** LMDB calls it an input/output error when the system took only a part of what it was given to write. */
const SHORT_WRITE = 'Not everything could be written: the disk or a file-size limit is full, or the disk fails (EIO).';
