import type { RequestInputs } from '../protocol/schemas';
import type { Link } from './connection';
import type { Refusal } from './refusals';
import type { Timers } from './timers';

type Update = RequestInputs['awareness:update'];

interface AwarenessSenderOptions {
  readonly connection: Link;
  readonly timers: Timers;
  readonly deadlineMs: number;
}

/** Sends awareness states. Where the server asks to wait, the newest of each id goes then: the ones before it are of no interest. */
export class AwarenessSender {
  readonly #options: AwarenessSenderOptions;
  /** By id, whether sent or not. */
  #newest = new Map<string, Update>();
  #delayed = new Set<string>();
  #cancelDelay: (() => void) | null = null;

  constructor(options: AwarenessSenderOptions) {
    this.#options = options;
  }

  send(update: Update): void {
    this.#newest.set(update.awarenessId, update);
    if (this.#cancelDelay) this.#delayed.add(update.awarenessId);
    else this.#send(update);
  }

  /** No longer joined: what is known of us is gone, and told anew by whoever knows it. */
  halt(): void {
    this.#cancelDelay?.();
    this.#cancelDelay = null;
    this.#newest = new Map();
    this.#delayed = new Set();
  }

  #send(update: Update): void {
    const { connection, deadlineMs } = this.#options;
    const newest = this.#newest;
    connection.request('awareness:update', update, deadlineMs, {
      onReply: () => {},
      onRefusal: (refusal) => {
        if (newest === this.#newest) this.#onRefused(update, refusal);
      },
    });
  }

  #onRefused(update: Update, { action, error }: Refusal): void {
    const { retryAfterMs } = error.details;
    if (action !== 'wait' || retryAfterMs === undefined) return;
    const { awarenessId } = update;
    if (this.#newest.get(awarenessId) === update) this.#delayed.add(awarenessId);
    this.#cancelDelay?.();
    this.#cancelDelay = this.#options.timers.after(retryAfterMs, () => this.#sendDelayed());
  }

  #sendDelayed(): void {
    this.#cancelDelay = null;
    const ids = this.#delayed;
    this.#delayed = new Set();
    for (const id of ids) {
      const update = this.#newest.get(id);
      if (update) this.#send(update);
    }
  }
}
