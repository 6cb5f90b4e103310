import type { Mark } from '../protocol/positions';
import type { Tail } from './tail';

/** How far a session is saved, as far as its own tail vouches for it (SV3). */
export class SavedPosition {
  #mark: Mark;
  #waiters: Array<{ readonly seq: number; readonly wake: () => void }> = [];

  constructor(mark: Mark) {
    this.#mark = mark;
  }

  get mark(): Mark {
    return this.#mark;
  }

  /** Somebody says that the history is saved up to here. `contradiction`: the tail has something else there. */
  hear({ seq, tag }: Mark, tail: Tail): 'news' | 'no news' | 'contradiction' {
    if (seq <= this.#mark.seq) return 'no news';
    const own = tail.tagAt(seq);
    // Beyond the tail it waits: the next hint or audit says it again.
    if (own === null) return 'no news';
    if (own !== undefined && own !== tag) return 'contradiction';
    this.#mark = { seq, tag };
    if (this.#waiters.length > 0) this.#wakeWaiters();
    return 'news';
  }

  /** Another history begins. */
  restartAt(mark: Mark): void {
    this.#mark = mark;
  }

  /** Resolves when everything up to `seq` is saved; only a deadline of the caller's ends it when that never comes. */
  reached(seq: number): Promise<void> {
    if (this.#mark.seq >= seq) return Promise.resolve();
    return new Promise((wake) => this.#waiters.push({ seq, wake }));
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ seq }) => seq > this.#mark.seq);
    for (const { seq, wake } of waiters) if (seq <= this.#mark.seq) wake();
  }
}
