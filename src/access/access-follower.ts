import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { Outage } from '../lib/outage';
import type { AccessChanges, NumberedChange } from '../storage/access-changes';
import type { AccessHints } from './access-hints';

/** So old may be what is known here of who may do what: the second that is promised for a change to hold everywhere. */
const FRESH_MS = 1_000;
const PAGE_CHANGES = 500;
const PRUNE_INTERVAL_MS = 3_600_000;
/** A week: no instance that is still alive has not heard of a change for so long, and no cache holds a role for so long. */
const KEPT_MS = 604_800_000;

interface AccessFollowerOptions {
  readonly changes: AccessChanges;
  /** Null: nobody else can be told. */
  readonly hints: AccessHints | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pollMs: number;
}

type Listener = (change: NumberedChange) => void;

/**
 * Hears of every change of who may do what, in order, on whatever instance it was made. The store is asked every `pollMs`, and at once
 * when somebody hints that there is something.
 */
export class AccessFollower {
  readonly #options: AccessFollowerOptions;
  readonly #outage: Outage;
  readonly #listeners = new Set<Listener>();
  #number = 0;
  /** Everything that had taken effect by then is known here (monotonic). */
  #knownUntil = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  /** Begins when the look that is under way has ended: that one may have been too early. */
  #next: Promise<void> | null = null;
  #cancelPoll = (): void => {};
  #cancelPrune = (): void => {};
  #pruning: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isStopped = false;

  constructor(options: AccessFollowerOptions) {
    this.#options = options;
    this.#outage = new Outage(options.log, {
      began: 'changes of access cannot be read: nobody is let in until they can',
      ended: 'changes of access are read again',
    });
  }

  /** Number of the last change that is known here. */
  get number(): number {
    return this.#number;
  }

  /** Calls `listener` with every change that is kept, from the first one on. Before `start`. */
  follow(listener: Listener): void {
    if (this.#isStarted) throw new Error('Whoever follows from now on would not hear what was before.');
    this.#listeners.add(listener);
  }

  /** Resolves when everything there is has been told. Rejects with STORE_UNAVAILABLE. */
  async start(): Promise<void> {
    this.#isStarted = true;
    // Not waited for: without Redis it would take as long as Redis is away.
    void this.#options.hints?.follow(() => this.#hinted());
    await this.#look();
    this.#poll();
    this.#prune();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelPoll();
    this.#cancelPrune();
    await this.#options.hints?.stop();
    // What fails now was told.
    await Promise.allSettled([this.#looking ?? undefined, this.#next ?? undefined, this.#pruning]);
  }

  /** Whether everything that took effect more than a second ago is known here. If not, nothing known here may be believed. */
  isFresh(): boolean {
    return this.#options.clock.monotonic() - this.#knownUntil <= FRESH_MS;
  }

  /** Resolves when everything that has taken effect before the call is known here. Rejects with STORE_UNAVAILABLE. */
  catchUp(): Promise<void> {
    if (!this.#looking) return this.#look();
    this.#next ??= this.#looking
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#look();
      });
    return this.#next;
  }

  /** Resolves when what is known here may be believed; asks the store only when it may not be. Rejects with STORE_UNAVAILABLE. */
  async demandFresh(): Promise<void> {
    if (!this.isFresh()) await this.catchUp();
  }

  /** Call it after an append: resolves when it holds here, or would if the store answered, and tells the other instances to look. */
  async appended(): Promise<void> {
    this.#options.hints?.tell();
    // It is in the store, and heard of with the next look at the latest.
    await this.catchUp().catch(() => {});
  }

  #hinted(): void {
    if (!this.#isStopped) this.catchUp().catch(() => {});
  }

  #look(): Promise<void> {
    this.#looking ??= this.#read().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #read(): Promise<void> {
    const { changes, clock } = this.#options;
    const startedAt = clock.monotonic();
    try {
      for (;;) {
        const page = await changes.after(this.#number, PAGE_CHANGES);
        for (const change of page) this.#tell(change);
        if (page.length < PAGE_CHANGES) break;
      }
    } catch (fault) {
      this.#outage.failed(fault);
      throw fault;
    }
    this.#knownUntil = startedAt;
    this.#outage.worked();
  }

  #tell(change: NumberedChange): void {
    this.#number = change.number;
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (fault) {
        this.#options.log.error({ err: fault, kind: change.change.kind }, 'a change of access could not be taken in');
      }
    }
  }

  #poll(): void {
    const { clock, pollMs } = this.#options;
    this.#cancelPoll = clock.after(pollMs, () => {
      // What failed was told, and is tried again.
      void this.#look()
        .catch(() => {})
        .then(() => {
          if (!this.#isStopped) this.#poll();
        });
    });
  }

  #prune(): void {
    const { changes, clock, log } = this.#options;
    this.#pruning = changes.prune(clock.now() - KEPT_MS).catch((fault: unknown) => {
      log.warn({ err: fault }, 'changes of access that are over could not be removed');
    });
    this.#cancelPrune = clock.after(PRUNE_INTERVAL_MS, () => this.#prune());
  }
}
