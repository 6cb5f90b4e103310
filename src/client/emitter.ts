type Listener<Payload> = (payload: Payload) => void;

/** By what was handed in, which is what `off` is told: what is called. */
type Listeners<Payload> = Map<Listener<Payload>, Listener<Payload>>;

type ListenersByName<Events> = { [Name in keyof Events]?: Listeners<Events[Name]> };

/** Typed events. A listener that throws is reported as an uncaught error and stops neither the others nor the sender. */
export class Emitter<Events extends object> {
  #listeners: ListenersByName<Events> = {};

  /** Answers a function that takes the listener away. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    return this.#add(name, listener, listener);
  }

  /** The same for one event. */
  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const stop = this.#add(name, listener, (payload) => {
      stop();
      listener(payload);
    });
    return stop;
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.#listeners[name]?.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    for (const listen of [...(this.#listeners[name]?.values() ?? [])]) {
      try {
        listen(payload);
      } catch (cause) {
        queueMicrotask(() => {
          throw cause;
        });
      }
    }
  }

  get listenerCount(): number {
    const all: Array<Map<unknown, unknown> | undefined> = Object.values(this.#listeners);
    return all.reduce((count, listeners) => count + (listeners?.size ?? 0), 0);
  }

  clear(): void {
    this.#listeners = {};
  }

  #add<Name extends keyof Events>(
    name: Name,
    listener: Listener<Events[Name]>,
    listen: Listener<Events[Name]>,
  ): () => void {
    const listeners: Listeners<Events[Name]> = this.#listeners[name] ?? new Map();
    this.#listeners[name] = listeners;
    listeners.set(listener, listen);
    return () => {
      if (listeners.get(listener) === listen) listeners.delete(listener);
    };
  }
}
