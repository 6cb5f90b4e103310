import { MemoryLocks, MemoryStorage } from '../../../src/client/memory-storage';
import type { QueueLocks, QueueRecord, QueueStorage } from '../../../src/client/stored-queue';
import type { Dice } from './dice';
import { elapsed } from './pipe';

/** What one author's browser keeps over the lives of a tab. */
export class BrowserStorage {
  readonly #storage = new MemoryStorage();
  readonly #locks = new MemoryLocks();
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  openTab(): TabStorage {
    return new TabStorage(this.#storage, this.#locks, this.#dice);
  }

  /** What a tab that opens now finds of a session. */
  record(sessionId: string): Promise<QueueRecord | null> {
    return this.#storage.load(`${sessionId}/0`);
  }
}

/** The same as one tab uses it, until it crashes: then what is not written never will be, and its locks are free. */
export class TabStorage implements QueueStorage, QueueLocks {
  readonly #storage: MemoryStorage;
  readonly #locks: MemoryLocks;
  readonly #dice: Dice;
  readonly #held = new Set<() => void>();
  #hasCrashed = false;

  constructor(storage: MemoryStorage, locks: MemoryLocks, dice: Dice) {
    this.#storage = storage;
    this.#locks = locks;
    this.#dice = dice;
  }

  crash(): void {
    this.#hasCrashed = true;
    for (const release of this.#held) release();
    this.#held.clear();
  }

  async load(key: string): Promise<QueueRecord | null> {
    await elapsed(0);
    return this.#storage.load(key);
  }

  async save(key: string, record: QueueRecord): Promise<void> {
    await elapsed(this.#dice.chance(0.8) ? 0 : this.#dice.between(1, 4));
    if (this.#hasCrashed) return new Promise(() => {});
    return this.#storage.save(key, record);
  }

  async clear(key: string): Promise<void> {
    if (!this.#hasCrashed) await this.#storage.clear(key);
  }

  async tryAcquire(name: string): Promise<(() => void) | null> {
    const release = await this.#locks.tryAcquire(name);
    if (!release || this.#hasCrashed) {
      release?.();
      return null;
    }
    this.#held.add(release);
    return () => {
      if (this.#held.delete(release)) release();
    };
  }
}
