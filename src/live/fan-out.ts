import type { Clock } from '../lib/clock';
import { markBefore, weightOf, wireEntryText, type Entry } from '../protocol/entry';
import { JsonText } from '../protocol/json-text';
import type { Batch } from '../protocol/schemas';
import type { Mark } from '../protocol/positions';
import type { Telemetry } from '../telemetry/telemetry';

/** A frame never waits for its interval beyond this; keeps frames far below what a receiver parses without a stutter. */
const MAX_FRAME_BYTES = 262_144;
/** While nothing else is sent, `saved` goes out alone at most this often. */
const SAVED_INTERVAL_MS = 100;

interface FanOutOptions {
  readonly sessionId: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Least time between two frames of a busy session. */
  readonly intervalMs: number;
  /** Writes a frame to every local connection of the session; answers how many. */
  readonly sendBatch: (batch: JsonText<Batch>, bytes: number) => number;
  readonly sendSaved: (saved: { epoch: number; saved: number; tag: string }) => void;
}

/**
 * Delivery to the connections of one session on this instance (DL5). The first entry after quiet goes out in the turn it
 * arrives; while the session is busy, one frame per interval carries everything since.
 */
export class FanOut {
  readonly #options: FanOutOptions;
  #epoch: number;
  #pending: Entry[] = [];
  #pendingBytes = 0;
  #pendingSince = 0;
  #saved: Mark;
  #announcedSavedSeq: number;
  #cancelFrame: (() => void) | undefined;
  #cancelSaved: (() => void) | undefined;

  constructor(options: FanOutOptions, start: { epoch: number; saved: Mark }) {
    this.#options = options;
    this.#epoch = start.epoch;
    this.#saved = start.saved;
    this.#announcedSavedSeq = start.saved.seq;
  }

  push(entry: Entry): void {
    if (this.#pending.length === 0) this.#pendingSince = this.#options.clock.monotonic();
    this.#pending.push(entry);
    this.#pendingBytes += weightOf(entry);
    if (!this.#cancelFrame || this.#pendingBytes >= MAX_FRAME_BYTES) this.flush();
  }

  /** `saved` has moved: it rides on the next frame, or goes alone after a while. */
  saved(saved: Mark): void {
    if (saved.seq <= this.#saved.seq) return;
    this.#saved = saved;
    this.#cancelSaved ??= this.#options.clock.after(SAVED_INTERVAL_MS, () => {
      this.#cancelSaved = undefined;
      // The frame that waits takes it along.
      if (this.#pending.length === 0) this.announceSaved();
    });
  }

  /** Sends what is pending in this turn, so that whoever enters the room next continues exactly behind it (DL1). */
  flush(): void {
    if (this.#pending.length === 0) return;
    const entries = this.#pending;
    const [first] = entries;
    const last = entries[entries.length - 1];
    if (!first || !last) return;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    const { sessionId, telemetry, clock, sendBatch } = this.#options;
    const before = markBefore(first);
    const ahead = { sessionId, epoch: this.#epoch, prevSeq: before.seq, prevTag: before.tag } satisfies Partial<Batch>;
    const behind = { tag: last.tag, saved: this.#saved.seq } satisfies Partial<Batch>;
    const text = `${JSON.stringify(ahead).slice(0, -1)},"entries":[${entries.map(wireEntryText).join(',')}],${JSON.stringify(behind).slice(1)}`;
    const receivers = sendBatch(new JsonText(text), bytes);
    this.#announcedSavedSeq = this.#saved.seq;
    telemetry.operations.delivered += receivers * (last.seq - before.seq);
    telemetry.deliverMs.record(clock.monotonic() - this.#pendingSince);
    this.#beginInterval();
  }

  underEpoch(epoch: number): void {
    this.flush();
    this.#epoch = epoch;
  }

  stop(): void {
    this.#cancelFrame?.();
    this.#cancelSaved?.();
    this.#cancelFrame = undefined;
    this.#cancelSaved = undefined;
  }

  #beginInterval(): void {
    this.#cancelFrame?.();
    this.#cancelFrame = this.#options.clock.after(this.#options.intervalMs, () => {
      this.#cancelFrame = undefined;
      this.flush();
    });
  }

  /** Says what is saved at once, if nobody has heard it. */
  announceSaved(): void {
    // Nobody hears that something is saved before it was delivered.
    this.flush();
    const { seq, tag } = this.#saved;
    if (seq === this.#announcedSavedSeq) return;
    this.#announcedSavedSeq = seq;
    this.#options.sendSaved({ epoch: this.#epoch, saved: seq, tag });
  }
}
