import { markOf, prevSeqOf, weightOf, type Entry } from '../protocol/entry';
import type { Mark } from '../protocol/positions';

/**
 * What the gate says of an offered entry (DL2):
 * `passed` it continues the tail; `repeat` the tail has it already; `hole` entries before it are missing;
 * `suspect` it is older than the ring, so only the log can tell; `break` it belongs to another history, or to a newer epoch.
 */
export type Passage = 'passed' | 'repeat' | 'hole' | 'suspect' | 'break';

export interface RingLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Entries that left the ring are let go of together, once they are this share of its entries or bytes: moving the rest up costs. */
const DROPPED_SHARE = 1 / 8;

/** The newest stretch of a session's history on this instance: a gate that lets only the next entry in, and a bounded ring. */
export class Tail {
  readonly epoch: number;
  readonly #limits: RingLimits;
  #head: Mark;
  /** The mark before the first entry of the ring. */
  #start: Mark;
  /** Behind those that left it. */
  #ring: Entry[] = [];
  #bytes = 0;
  #dropped = 0;
  #droppedBytes = 0;

  constructor(epoch: number, head: Mark, limits: RingLimits) {
    this.epoch = epoch;
    this.#head = head;
    this.#start = head;
    this.#limits = limits;
  }

  get head(): Mark {
    return this.#head;
  }

  offer(entry: Entry): Passage {
    if (entry.epoch > this.epoch) return 'break';
    if (entry.epoch < this.epoch) return 'repeat';
    return this.#admit(entry);
  }

  /** The gate for entries read from the log or the store, where older epochs are part of the history. */
  offerFromLog(entry: Entry): Passage {
    return this.#admit(entry);
  }

  #admit(entry: Entry): Passage {
    const prevSeq = prevSeqOf(entry);
    if (entry.seq <= this.#head.seq) {
      const own = this.tagAt(entry.seq);
      if (own === undefined) return 'suspect';
      return own === entry.tag ? 'repeat' : 'break';
    }
    if (prevSeq > this.#head.seq) return 'hole';
    if (prevSeq < this.#head.seq || entry.prevTag !== this.#head.tag) return 'break';
    this.#ring.push(entry);
    this.#bytes += weightOf(entry);
    this.#head = { seq: entry.seq, tag: entry.tag };
    this.#trim();
    return 'passed';
  }

  /** The same history under a newer epoch. */
  underEpoch(epoch: number): Tail {
    const next = new Tail(epoch, this.#head, this.#limits);
    next.#start = this.#start;
    next.#ring = this.#ring;
    next.#bytes = this.#bytes;
    next.#dropped = this.#dropped;
    next.#droppedBytes = this.#droppedBytes;
    return next;
  }

  /** Whether the ring has everything after `seq`. */
  covers(seq: number): boolean {
    return seq >= this.#start.seq && seq <= this.#head.seq;
  }

  /** Entries after `seq`, which the ring must cover. */
  after(seq: number): readonly Entry[] {
    if (seq === this.#head.seq) return [];
    return this.#ring.slice(this.#indexOf(seq + 1));
  }

  /** The tag where an entry ends at `seq`; null inside an entry or beyond the head; undefined below the ring, where only the log knows. */
  tagAt(seq: number): string | null | undefined {
    if (seq === this.#head.seq) return this.#head.tag;
    if (seq > this.#head.seq) return null;
    if (seq === this.#start.seq) return this.#start.tag;
    if (seq < this.#start.seq) return undefined;
    const entry = this.#ring[this.#indexOf(seq)];
    return entry?.seq === seq ? entry.tag : null;
  }

  /** The newest entry of a client in the ring, up to `seq`. */
  newestOf(clientId: string, seq: number): Entry | undefined {
    for (let index = this.#ring.length - 1; index >= this.#dropped; index -= 1) {
      const entry = this.#ring[index];
      if (entry && entry.clientId === clientId && entry.seq <= seq) return entry;
    }
    return undefined;
  }

  /** Index of the entry that covers `seq`. */
  #indexOf(seq: number): number {
    let low = this.#dropped;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ring[middle]?.seq ?? Number.POSITIVE_INFINITY) >= seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #trim(): void {
    const { maxEntries, maxBytes } = this.#limits;
    const ring = this.#ring;
    // The newest entry always stays, however large, so that the ring covers the head's predecessor.
    while (ring.length - this.#dropped > 1 && (ring.length - this.#dropped > maxEntries || this.#bytes > maxBytes)) {
      const entry = ring[this.#dropped];
      if (!entry) break;
      this.#bytes -= weightOf(entry);
      this.#dropped += 1;
      this.#droppedBytes += weightOf(entry);
      this.#start = markOf(entry);
    }
    if (this.#dropped < ring.length * DROPPED_SHARE && this.#droppedBytes < maxBytes * DROPPED_SHARE) return;
    ring.splice(0, this.#dropped);
    this.#dropped = 0;
    this.#droppedBytes = 0;
  }
}
