import type { QueueLocks, QueueRecord, QueueStorage } from './stored-queue';

/** Keeps queues as long as the object lives: for tests, and for pages that come and go inside one process. */
export class MemoryStorage implements QueueStorage {
  readonly #texts = new Map<string, string>();

  async load(key: string): Promise<QueueRecord | null> {
    const text = this.#texts.get(key);
    return text === undefined ? null : JSON.parse(text);
  }

  async save(key: string, record: QueueRecord): Promise<void> {
    this.#texts.set(key, JSON.stringify(record));
  }

  async clear(key: string): Promise<void> {
    this.#texts.delete(key);
  }

  get keys(): string[] {
    return [...this.#texts.keys()];
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
