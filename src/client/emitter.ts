type Listener<Payload> = (payload: Payload) => void;

type ListenerSets<Events> = { [Name in keyof Events]?: Set<Listener<Events[Name]>> };

/** Typed events. A listener that throws is reported as an uncaught error and stops neither the others nor the sender. */
export class Emitter<Events extends object> {
  #sets: ListenerSets<Events> = {};

  /** Answers a function that takes the listener away. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const set: Set<Listener<Events[Name]>> = this.#sets[name] ?? new Set();
    this.#sets[name] = set;
    set.add(listener);
    return () => {
      set.delete(listener);
    };
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.#sets[name]?.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    const set = this.#sets[name];
    if (!set) return;
    for (const listener of [...set]) {
      try {
        listener(payload);
      } catch (cause) {
        queueMicrotask(() => {
          throw cause;
        });
      }
    }
  }

  get listenerCount(): number {
    const sets: Array<Set<unknown> | undefined> = Object.values(this.#sets);
    return sets.reduce((count, set) => count + (set?.size ?? 0), 0);
  }

  clear(): void {
    this.#sets = {};
  }
}
