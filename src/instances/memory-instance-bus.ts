import type { Following, InstanceBus } from './instance-bus';

/** Servers of one process. One that is made without others is alone, and nobody hears it. */
export class MemoryInstanceBus implements InstanceBus {
  readonly #all: Set<MemoryInstanceBus>;
  /** sessionId → who listens. */
  readonly #listeners = new Map<string, Set<(message: string) => void>>();

  constructor(other?: MemoryInstanceBus) {
    this.#all = other ? other.#all : new Set();
    this.#all.add(this);
  }

  follow(sessionId: string, onMessage: (message: string) => void): Following {
    const listeners = this.#listeners.get(sessionId) ?? new Set();
    this.#listeners.set(sessionId, listeners.add(onMessage));
    return {
      begun: Promise.resolve(),
      end: () => {
        listeners.delete(onMessage);
        if (listeners.size === 0 && this.#listeners.get(sessionId) === listeners) this.#listeners.delete(sessionId);
      },
    };
  }

  tell(sessionId: string, message: string): void {
    for (const other of this.#all) {
      // Later, as it would come from elsewhere.
      if (other !== this) queueMicrotask(() => other.#hear(sessionId, message));
    }
  }

  #hear(sessionId: string, message: string): void {
    for (const listener of this.#listeners.get(sessionId) ?? []) listener(message);
  }
}
