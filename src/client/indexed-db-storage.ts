import { utf8Length } from './held-operation';
import type { QueueRecord, QueueStorage } from './stored-queue';

export interface IndexedDbStorageOptions {
  /** Whose queues these are: every user has a database of their own, because what it holds is sent in the name of who opens it. */
  readonly userId: string;
  /** All queues of the user together; more is refused, and nothing is given up for it. */
  readonly maxBytes?: number;
  /** The page's own unless told. */
  readonly factory?: IDBFactory;
}

/** Four sessions that hold as much as they may; browsers give a page much more. */
const DEFAULT_MAX_BYTES = 64 * 1_048_576;
/** Of the database. A newer one belongs to a newer version of this library, and is left alone. */
const FORMAT = 1;
const QUEUES = 'queues';

/** As JSON text: browsers copy it faster than what it says. */
interface Row {
  readonly key: string;
  readonly bytes: number;
  readonly text: string;
}

/** Keeps queues in the browser over reloads and crashes of the tab: one record per session and tab. */
export class IndexedDbStorage implements QueueStorage {
  readonly #name: string;
  readonly #maxBytes: number;
  readonly #factory: IDBFactory | undefined;
  #database: Promise<IDBDatabase> | null = null;

  constructor({ userId, maxBytes = DEFAULT_MAX_BYTES, factory }: IndexedDbStorageOptions) {
    this.#name = `flow-queues/${userId}`;
    this.#maxBytes = maxBytes;
    this.#factory = factory ?? globalThis.indexedDB;
  }

  async load(key: string): Promise<QueueRecord | null> {
    const rows = await this.#rows('readonly');
    const row = await answered(rows.get(key) as IDBRequest<Row | undefined>);
    if (!row) return null;
    const record = JSON.parse(row.text) as QueueRecord;
    if (record.version !== 1) throw new Error(`The queue ${key} was stored by a newer version of this library.`);
    return record;
  }

  async save(key: string, record: QueueRecord): Promise<void> {
    const text = JSON.stringify(record);
    const bytes = utf8Length(text);
    const rows = await this.#rows('readwrite');
    const { transaction } = rows;
    let room = this.#maxBytes - bytes;
    const others = rows.index('bytes').openKeyCursor();
    others.addEventListener('success', () => {
      const other = others.result;
      if (other) {
        if (other.primaryKey !== key) room -= Number(other.key);
        other.continue();
      } else if (room >= 0) {
        rows.put({ key, bytes, text } satisfies Row);
      } else {
        transaction.abort();
      }
    });
    await completed(
      transaction,
      () => `Stored queues may have ${this.#maxBytes} bytes; ${-room} more were to be stored.`,
    );
  }

  async clear(key: string): Promise<void> {
    const rows = await this.#rows('readwrite');
    rows.delete(key);
    await completed(rows.transaction);
  }

  /** Of everything that waits here, as `sessionId/slot`: what an application may point its user to. */
  async keys(): Promise<string[]> {
    const rows = await this.#rows('readonly');
    return (await answered(rows.getAllKeys())).map(String);
  }

  /** Lets go of the database; it is opened again when it is needed. */
  async close(): Promise<void> {
    const database = await this.#database?.catch(() => null);
    this.#database = null;
    database?.close();
  }

  async #rows(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    const database = await (this.#database ??= this.#open());
    return database.transaction(QUEUES, mode).objectStore(QUEUES);
  }

  async #open(): Promise<IDBDatabase> {
    try {
      if (!this.#factory) throw new Error('There is no IndexedDB here.');
      const request = this.#factory.open(this.#name, FORMAT);
      request.addEventListener('upgradeneeded', () => {
        request.result.createObjectStore(QUEUES, { keyPath: 'key' }).createIndex('bytes', 'bytes');
      });
      const database = await answered(request);
      const forget = (): void => {
        this.#database = null;
      };
      // Another tab has a newer version of this library, or the browser took the database away.
      database.addEventListener('versionchange', () => {
        forget();
        database.close();
      });
      database.addEventListener('close', forget);
      return database;
    } catch (cause) {
      // The next one may have more luck.
      this.#database = null;
      throw cause;
    }
  }
}

function answered<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(failure('was refused', request.error)));
  });
}

/** When it is there, and not before. `why`: it was ended by us. */
function completed(transaction: IDBTransaction, why?: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () => {
      const { error } = transaction;
      reject(error ? failure('was ended', error) : new Error(why?.() ?? 'IndexedDB ended a transaction.'));
    });
  });
}

const failure = (what: string, cause: DOMException | null): Error =>
  new Error(`A request to IndexedDB ${what}: ${cause?.name ?? 'no reason was given'}.`, { cause });
