import { rootMessageOf } from '../lib/system-faults';
import type { Logger } from '../lib/logger';
import { backoffDelay } from '../lib/backoff';
import type { Clock } from '../lib/clock';
import { weightOf, type Entry } from '../protocol/entry';
import type { OperationLog, SaveResult, SessionSave } from '../storage/operation-log';
import type { Telemetry } from '../telemetry/telemetry';

/** One flush carries at most this much, so that a backlog is written in transactions of bounded size. */
const MAX_FLUSH_BYTES = 2_097_152;
const RETRY = { firstMs: 50, ceilingMs: 2_000 };

/** What the saver needs of a session. */
export interface SaveClient {
  readonly sessionId: string;
  /** `queue` says which epoch the result is about; it may be over by now. */
  onSaveResult(queue: SaveQueue, result: SaveResult, entries: readonly Entry[]): void;
}

/** Entries of one session that wait for the store, in order. */
export class SaveQueue {
  readonly client: SaveClient;
  readonly epoch: number;
  entries: Entry[] = [];
  /** Monotonic time when each of them came. */
  waitingSince: number[] = [];

  constructor(client: SaveClient, epoch: number) {
    this.client = client;
    this.epoch = epoch;
  }
}

interface Waiter {
  readonly isDone: () => boolean;
  readonly wake: () => void;
}

/**
 * Group commit (ST6): one store transaction per flush over all sessions with unsaved entries. Whatever the store refuses for other
 * reasons than fencing is tried again for as long as the process lives (ST7); nothing leaves a queue before it is stored.
 */
export class Saver {
  readonly #operationLog: OperationLog;
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #log: Logger;
  readonly #intervalMs: number;
  readonly #dirty = new Set<SaveQueue>();
  #unsavedBytes = 0;
  #cancelTimer: (() => void) | undefined;
  /** Monotonic time of the first entry that no flush has collected yet. */
  #uncollectedSince: number | undefined;
  #isFlushing = false;
  #failures = 0;
  #lastFailure: string | undefined;
  #waiters: Waiter[] = [];
  #isStopped = false;

  constructor(options: {
    operationLog: OperationLog;
    clock: Clock;
    telemetry: Telemetry;
    log: Logger;
    /** Longest an unsaved entry waits before a flush begins. */
    intervalMs: number;
  }) {
    this.#operationLog = options.operationLog;
    this.#clock = options.clock;
    this.#telemetry = options.telemetry;
    this.#log = options.log;
    this.#intervalMs = options.intervalMs;
  }

  /** Of this instance's sessions, also of those that another one saves. */
  get unsavedBytes(): number {
    return this.#unsavedBytes;
  }

  /** Sessions with unsaved entries, how long the oldest has waited, and what the store said last while it fails. */
  status(): { unsavedSessions: readonly string[]; oldestUnsavedMs: number; failure?: string } {
    const now = this.#clock.monotonic();
    let oldestUnsavedMs = 0;
    const unsavedSessions: string[] = [];
    for (const queue of this.#dirty) {
      unsavedSessions.push(queue.client.sessionId);
      oldestUnsavedMs = Math.max(oldestUnsavedMs, now - (queue.waitingSince[0] ?? now));
    }
    return { unsavedSessions, oldestUnsavedMs, ...(this.#lastFailure ? { failure: this.#lastFailure } : {}) };
  }

  /** So much more, or less, waits for the store elsewhere. */
  weigh(bytes: number): void {
    this.#unsavedBytes += bytes;
  }

  add(queue: SaveQueue, entry: Entry): void {
    const now = this.#clock.monotonic();
    this.#uncollectedSince ??= now;
    queue.entries.push(entry);
    queue.waitingSince.push(now);
    this.#unsavedBytes += weightOf(entry);
    this.#dirty.add(queue);
    this.#schedule();
  }

  /** Forgets a queue whose epoch is over; what it held belongs to its clients again. */
  drop(queue: SaveQueue): void {
    for (const entry of queue.entries) this.#unsavedBytes -= weightOf(entry);
    queue.entries = [];
    queue.waitingSince = [];
    this.#dirty.delete(queue);
    this.#wakeWaiters();
  }

  /**
   * Begins a flush now and resolves when nothing is unsaved, or nothing of one queue. Only a deadline of the caller's ends it
   * when the store fails.
   */
  async settled(queue?: SaveQueue): Promise<void> {
    const isDone = (): boolean => (queue ? queue.entries.length === 0 : this.#dirty.size === 0);
    if (isDone()) return;
    const settled = new Promise<void>((wake) => this.#waiters.push({ isDone, wake }));
    if (!this.#isFlushing) this.#flush();
    await settled;
  }

  /** Stops trying. What is unsaved then is lost to the store; `status` names it. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Group commit: the next flush begins one interval after its first entry came, and never beside another. */
  #schedule(): void {
    if (this.#isFlushing || this.#cancelTimer || this.#isStopped) return;
    // With nothing uncollected there is only what a full flush left over.
    const since = this.#waiters.length > 0 ? undefined : this.#uncollectedSince;
    const delayMs = since === undefined ? 0 : Math.max(0, since + this.#intervalMs - this.#clock.monotonic());
    this.#cancelTimer = this.#clock.after(delayMs, () => this.#flush());
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const queues = this.#collect();
    if (queues.length === 0) return;
    this.#isFlushing = true;
    const saves = queues.map(({ save }) => save);
    // An async function, so that a store that throws is a store that rejects.
    const saving = (async () => this.#operationLog.save(saves))();
    saving.then(
      (results) => {
        this.#isFlushing = false;
        if (this.#failures > 0) this.#log.info({ failures: this.#failures }, 'saving works again');
        this.#failures = 0;
        this.#lastFailure = undefined;
        queues.forEach(({ queue, save }, index) => {
          const result = results[index];
          if (result) this.#settle(queue, save, result);
        });
        this.#wakeWaiters();
        if (this.#dirty.size > 0) this.#schedule();
      },
      (cause: unknown) => {
        this.#isFlushing = false;
        this.#failures += 1;
        this.#lastFailure = rootMessageOf(cause);
        if (this.#failures === 1)
          this.#log.error({ err: cause, sessions: saves.length }, 'saving failed; trying again');
        if (this.#isStopped || this.#dirty.size === 0) return;
        this.#cancelTimer = this.#clock.after(backoffDelay(this.#failures, RETRY), () => this.#flush());
      },
    );
  }

  #collect(): Array<{ queue: SaveQueue; save: SessionSave }> {
    const collected: Array<{ queue: SaveQueue; save: SessionSave }> = [];
    this.#uncollectedSince = undefined;
    let bytes = 0;
    for (const queue of this.#dirty) {
      const entries: Entry[] = [];
      for (const entry of queue.entries) {
        if (bytes >= MAX_FLUSH_BYTES) break;
        entries.push(entry);
        bytes += weightOf(entry);
      }
      if (entries.length > 0) {
        collected.push({ queue, save: { sessionId: queue.client.sessionId, epoch: queue.epoch, entries } });
      }
    }
    return collected;
  }

  #settle(queue: SaveQueue, save: SessionSave, result: SaveResult): void {
    if (result.status === 'saved') {
      // A queue that was dropped meanwhile is empty and keeps its counts.
      const stored = Math.min(save.entries.length, queue.entries.length);
      const [oldestSince] = queue.waitingSince.splice(0, stored);
      if (oldestSince !== undefined) this.#telemetry.saveMs.record(this.#clock.monotonic() - oldestSince);
      for (const entry of queue.entries.splice(0, stored)) {
        this.#unsavedBytes -= weightOf(entry);
        this.#telemetry.operations.saved += entry.count;
      }
      if (queue.entries.length === 0) this.#dirty.delete(queue);
      // Later sessions come first in the next flush, so that one large backlog does not starve the others.
      else if (this.#dirty.delete(queue)) this.#dirty.add(queue);
    } else {
      this.drop(queue);
    }
    queue.client.onSaveResult(queue, result, save.entries);
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ isDone }) => !isDone());
    for (const { isDone, wake } of waiters) if (isDone()) wake();
  }
}
