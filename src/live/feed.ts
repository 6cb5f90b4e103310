import type { Logger } from '../lib/logger';
import type { EventOrdering, Hint, HotLog } from '../ordering/event-ordering';
import type { Entry } from '../protocol/entry';
import type { Mark, Position } from '../protocol/positions';
import type { OperationLog } from '../storage/operation-log';
import type { Telemetry } from '../telemetry/telemetry';
import { PAGE_BYTES } from './history';
import type { Opened } from './opening';
import { Tail, type RingLimits } from './tail';

interface FeedServices {
  readonly ordering: EventOrdering;
  readonly operationLog: OperationLog;
  readonly telemetry: Telemetry;
  readonly limits: { readonly ring: RingLimits };
}

/** Who listens to a feed. */
export interface FeedListener {
  /** The next entry of the history, in order, each once. */
  onEntry(entry: Entry): void;
  /** Somebody says that the history is saved up to here. */
  onSaved(saved: Mark): void;
  /**
   * The hot log and the tail are not the same history (DL4). True: nothing more shall come until `resume`, after
   * `continueUnder` or `restartAt` has put it right.
   */
  onDiscontinuity(reason: string): boolean;
}

/** What the log must have when it is asked now; an answer that falls behind it has lost something (DL3). */
export interface Known {
  readonly epoch: number;
  readonly seq: number;
}

/**
 * One session's history as it comes: hints are let through the tail's gate in order, what they do not bring is read from the log,
 * and what does not fit is reported (DL2–DL4).
 */
export class Feed {
  readonly #sessionId: string;
  readonly #services: FeedServices;
  readonly #log: Logger;
  readonly #listener: FeedListener;
  #tail: Tail;
  /** Highest seq anybody told us of. */
  #knownSeq: number;
  #isFlowing = true;
  #repairing: Promise<void> | undefined;
  #unfollow: (() => Promise<void>) | undefined;

  constructor(sessionId: string, services: FeedServices, log: Logger, start: Opened, listener: FeedListener) {
    this.#sessionId = sessionId;
    this.#services = services;
    this.#log = log;
    this.#listener = listener;
    this.#tail = new Tail(start.epoch, start.head, services.limits.ring);
    this.#knownSeq = start.head.seq;
  }

  get tail(): Tail {
    return this.#tail;
  }

  get position(): Position {
    return { epoch: this.#tail.epoch, ...this.#tail.head };
  }

  get known(): Known {
    return { epoch: this.#tail.epoch, seq: Math.max(this.#knownSeq, this.#tail.head.seq) };
  }

  async start(): Promise<void> {
    this.#unfollow = await this.#services.ordering.follow(this.#sessionId, (hint) => this.#onHint(hint));
  }

  async stop(): Promise<void> {
    this.#isFlowing = false;
    await this.#unfollow?.();
  }

  /** The history goes on under a newer epoch. */
  continueUnder(epoch: number): void {
    this.#tail = this.#tail.underEpoch(epoch);
    this.#knownSeq = this.#tail.head.seq;
  }

  /** Another history, from its head on. */
  restartAt({ epoch, head }: Opened): void {
    this.#tail = new Tail(epoch, head, this.#services.limits.ring);
    this.#knownSeq = head.seq;
  }

  resume(): void {
    this.#isFlowing = true;
  }

  /** The gate (DL2). */
  offer(entry: Entry): void {
    if (!this.#isFlowing) return;
    switch (this.#tail.offer(entry)) {
      case 'passed':
        return this.#listener.onEntry(entry);
      case 'repeat':
        return;
      case 'hole':
      case 'suspect':
        this.expect(entry.seq);
        void this.repair();
        return;
      case 'break':
        this.breakOff('an entry does not continue the tail');
    }
  }

  /** The log must have at least this. */
  expect(seq: number): void {
    this.#knownSeq = Math.max(this.#knownSeq, seq);
  }

  /** Until the tail is at `seq`, if the log has it. A read that began before the entry was ordered is followed by another. */
  async reach(seq: number): Promise<void> {
    if (this.#tail.head.seq < seq) await this.#repairing;
    if (this.#tail.head.seq < seq) await this.repair();
  }

  /** Reads what the hints did not bring; one read at a time (DL2). */
  repair(): Promise<void> {
    this.#repairing ??= this.#readMissing()
      .catch((cause: unknown) => this.#log.warn({ err: cause }, 'reading the log failed; the audit will try again'))
      .finally(() => {
        this.#repairing = undefined;
      });
    return this.#repairing;
  }

  /** Compares the tail with what the log said when so much was known (DL3). */
  audit(hot: HotLog | null, known: Known): void {
    const { epoch, head } = this.#tail;
    // An answer from before the session was opened again says nothing of it.
    if (!this.#isFlowing || known.epoch !== epoch) return;
    if (!hot) return this.breakOff('the hot log is gone');
    if (hot.epoch !== epoch) return this.breakOff('the hot log has another epoch');
    if (hot.head.seq < known.seq) return this.breakOff('the hot log went backwards');
    if (hot.head.seq > head.seq) void this.repair();
    else if (hot.head.seq === head.seq && hot.head.tag !== head.tag)
      return this.breakOff('the hot log has another history');
    this.#listener.onSaved(hot.saved);
  }

  /** Something says that the hot log is not what the tail comes from. */
  breakOff(reason: string): void {
    if (this.#isFlowing) this.#isFlowing = !this.#listener.onDiscontinuity(reason);
  }

  #onHint(hint: Hint): void {
    if (!this.#isFlowing) return;
    switch (hint.kind) {
      case 'entry':
        return this.offer(hint.entry);
      case 'head':
        if (hint.head.epoch !== this.#tail.epoch || hint.head.seq <= this.#tail.head.seq) return;
        this.expect(hint.head.seq);
        void this.repair();
        return;
      case 'saved':
        if (hint.saved.epoch === this.#tail.epoch) this.#listener.onSaved(hint.saved);
    }
  }

  async #readMissing(): Promise<void> {
    const { ordering, operationLog, telemetry } = this.#services;
    const tail = this.#tail;
    const isOver = (): boolean => !this.#isFlowing || this.#tail !== tail;
    while (!isOver()) {
      const from = tail.head.seq;
      const known = this.known.seq;
      const read = await ordering.read(this.#sessionId, from, PAGE_BYTES);
      if (isOver()) return;
      if (!read || read.log.epoch !== tail.epoch) return this.breakOff('the hot log was replaced');
      if (read.log.head.seq < known) return this.breakOff('the hot log went backwards');
      const isInStore = read.log.floor > from;
      const entries = isInStore ? await operationLog.readAfter(this.#sessionId, from, PAGE_BYTES) : read.entries;
      if (isOver()) return;
      for (const entry of entries) {
        const passage = tail.offerFromLog(entry);
        if (passage === 'passed') {
          telemetry.operations.gapsRepaired += 1;
          this.#listener.onEntry(entry);
        } else if (passage !== 'repeat') {
          return this.breakOff(`an entry of the log is a ${passage} for the tail`);
        }
      }
      if (tail.head.seq >= read.log.head.seq) return;
      if (tail.head.seq === from) return this.breakOff('a hole remains after reading the log');
    }
  }
}
