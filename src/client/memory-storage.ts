import type { QueueLocks, QueueRecord, QueueStorage } from './stored-queue';

/** Keeps queues as long as the object lives: for tests, and for pages that come and go inside one process. */
export class MemoryStorage implements QueueStorage {
  readonly #records = new Map<string, QueueRecord>();

  async load(key: string): Promise<QueueRecord | null> {
    return structuredClone(this.#records.get(key) ?? null);
  }

  async save(key: string, record: QueueRecord): Promise<void> {
    this.#records.set(key, structuredClone(record));
  }

  async clear(key: string): Promise<void> {
    this.#records.delete(key);
  }

  get keys(): string[] {
    return [...this.#records.keys()];
  }
}

/** Locks among everything that shares the object. */
export class MemoryLocks implements QueueLocks {
  readonly #held = new Set<string>();

  async tryAcquire(name: string): Promise<(() => void) | null> {
    if (this.#held.has(name)) return null;
    this.#held.add(name);
    return () => {
      this.#held.delete(name);
    };
  }
}
