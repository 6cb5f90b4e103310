import { FlowError } from '../../src/protocol/errors';
import type { AppendResult, EventOrdering, Hint, HotLog, Submission } from '../../src/ordering/event-ordering';
import type { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import type { ClientRow, Entry } from '../../src/protocol/entry';
import type { Mark, Position } from '../../src/protocol/positions';

/** Shares of the hints that meet a fate; what is left arrives as it should. */
export interface HintFates {
  readonly dropped?: number;
  readonly doubled?: number;
  /** Held back and told after a later one. */
  readonly reordered?: number;
}

/** What really happened, so that a test can say that its fault did. */
export interface FaultCounts {
  told: number;
  dropped: number;
  doubled: number;
  reordered: number;
  appendsFailed: number;
  readsFailed: number;
  logsVanished: number;
  logsFellBack: number;
}

interface Listener {
  readonly sessionId: string;
  readonly onHint: (hint: Hint) => void;
  /** Hints that come after a later one. */
  readonly held: Hint[];
  unfollow: () => Promise<void>;
}

/**
 * One instance's view of an event ordering that several share, with everything that may go wrong between them (DL2, DL3, ST4).
 * A fault of the hot log itself is another log in its place, given to all who share it.
 */
export class LossyOrdering implements EventOrdering {
  readonly scope: 'process' | 'shared';
  readonly counts: FaultCounts = {
    told: 0,
    dropped: 0,
    doubled: 0,
    reordered: 0,
    appendsFailed: 0,
    readsFailed: 0,
    logsVanished: 0,
    logsFellBack: 0,
  };
  fates: HintFates = {};
  /** While true an append is rejected before it does anything, or (lost) after it did. */
  appends: 'work' | 'fail' | 'lose-the-answer' = 'work';
  reads: 'work' | 'fail' = 'work';
  /** Called once, when somebody begins to follow a session. */
  onceFollowed: (() => void) | undefined;
  #ordering: MemoryEventOrdering;
  readonly #random: () => number;
  readonly #listeners = new Set<Listener>();
  #heldAppends: Array<() => void> | undefined;

  constructor(ordering: MemoryEventOrdering, random: () => number) {
    this.#ordering = ordering;
    this.#random = random;
    this.scope = ordering.scope;
  }

  /** From now on appends wait; the function lets them go, in order. */
  holdAppends(): () => void {
    const held: Array<() => void> = [];
    this.#heldAppends = held;
    return () => {
      this.#heldAppends = undefined;
      for (const release of held) release();
    };
  }

  /** Another hot log takes the place of the one that was shared: an empty one, or an older copy. */
  replace(ordering: MemoryEventOrdering, how: 'vanished' | 'fell-back'): void {
    this.#ordering = ordering;
    this.counts[how === 'vanished' ? 'logsVanished' : 'logsFellBack'] += 1;
    for (const listener of this.#listeners) void this.#listen(listener);
  }

  async describe(sessionIds: readonly string[]): Promise<ReadonlyArray<HotLog | null>> {
    this.#demandReads();
    return this.#ordering.describe(sessionIds);
  }

  async seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    return this.#ordering.seed(sessionId, epoch, head);
  }

  async admit(sessionId: string, epoch: number, clientId: string, stored: ClientRow | null) {
    return this.#ordering.admit(sessionId, epoch, clientId, stored);
  }

  async append(sessionId: string, submission: Submission): Promise<AppendResult> {
    const held = this.#heldAppends;
    if (held) await new Promise<void>((resolve) => held.push(resolve));
    if (this.appends === 'fail') throw this.#failed('appendsFailed');
    const result = await this.#ordering.append(sessionId, submission);
    if (this.appends === 'lose-the-answer') throw this.#failed('appendsFailed');
    return result;
  }

  async read(
    sessionId: string,
    afterSeq: number,
    maxBytes: number,
  ): Promise<{ log: HotLog; entries: readonly Entry[] } | null> {
    this.#demandReads();
    return this.#ordering.read(sessionId, afterSeq, maxBytes);
  }

  async markSaved(sessionId: string, saved: Position): Promise<void> {
    return this.#ordering.markSaved(sessionId, saved);
  }

  async follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    const listener: Listener = { sessionId, onHint, held: [], unfollow: async () => {} };
    this.#listeners.add(listener);
    await this.#listen(listener);
    this.onceFollowed?.();
    this.onceFollowed = undefined;
    return async () => {
      this.#listeners.delete(listener);
      await listener.unfollow();
    };
  }

  async release(sessionId: string): Promise<void> {
    return this.#ordering.release(sessionId);
  }

  async #listen(listener: Listener): Promise<void> {
    const ordering = this.#ordering;
    listener.unfollow = await ordering.follow(listener.sessionId, (hint) => {
      if (ordering === this.#ordering && this.#listeners.has(listener)) this.#tell(listener, hint);
    });
  }

  #tell(listener: Listener, hint: Hint): void {
    const { dropped = 0, doubled = 0, reordered = 0 } = this.fates;
    const dice = this.#random();
    if (dice < dropped) {
      this.counts.dropped += 1;
      return;
    }
    if (dice < dropped + reordered) {
      this.counts.reordered += 1;
      listener.held.push(hint);
      return;
    }
    const hints = [hint, ...listener.held.splice(0)];
    if (dice < dropped + reordered + doubled) {
      this.counts.doubled += 1;
      hints.push(hint);
    }
    this.counts.told += hints.length;
    // Another instance hears of it in a later turn, as it would over a network.
    setImmediate(() => {
      for (const one of hints) if (this.#listeners.has(listener)) listener.onHint(one);
    });
  }

  #demandReads(): void {
    if (this.reads === 'fail') throw this.#failed('readsFailed');
  }

  #failed(what: 'appendsFailed' | 'readsFailed'): FlowError {
    this.counts[what] += 1;
    return new FlowError('BACKEND_UNAVAILABLE', undefined, { retryAfterMs: 50 });
  }
}
