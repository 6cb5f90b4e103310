import { GENESIS, isSameMark, type Mark } from '../protocol/positions';
import type { WireEntry } from '../protocol/entry';

/** An entry as it is handed to the editor. */
export interface DeliveredEntry extends WireEntry {
  /** `own`: it confirms operations held here, so the local document has them already. `remote`: apply it. */
  readonly origin: 'own' | 'remote';
}

/**
 * What was delivered, as far as it may still have to be taken back: the marks at which deliveries ended and the entries after
 * the last mark that is saved. Below that mark nothing is ever rolled back (CL2).
 */
export class DeliveredHistory {
  #epoch = 0;
  #head: Mark = GENESIS;
  /** The newest known mark at or below what is saved. */
  #savedMark: Mark = GENESIS;
  #savedSeq = 0;
  /** Marks after `#savedMark`, ascending; the last one is the head. */
  #marks: Mark[] = [];
  /** Entries after `#savedMark`. */
  #unsaved: DeliveredEntry[] = [];
  /** Entries that were delivered and that a fork put in question, until the server tells what it has instead. */
  #doubtful: DeliveredEntry[] = [];

  get epoch(): number {
    return this.#epoch;
  }

  get head(): Mark {
    return this.#head;
  }

  get savedMark(): Mark {
    return this.#savedMark;
  }

  /** Last saved seq among what was delivered. */
  get savedSeq(): number {
    return Math.min(this.#savedSeq, this.#head.seq);
  }

  /** Whether this history is known to go through the mark. */
  hasMark(mark: Mark): boolean {
    return isSameMark(mark, this.#savedMark) || this.#marks.some((known) => isSameMark(known, mark));
  }

  /** Begins anew at a saved mark: a snapshot's, or the beginning. */
  restart(mark: Mark): void {
    this.#head = mark;
    this.#savedMark = mark;
    this.#savedSeq = mark.seq;
    this.#marks = [];
    this.#unsaved = [];
    this.#doubtful = [];
  }

  underEpoch(epoch: number): void {
    this.#epoch = epoch;
  }

  /** Whether the entries follow the head without a hole and end at `end`. */
  isContinuedBy(entries: readonly WireEntry[], end: Mark): boolean {
    let seq = this.#head.seq;
    for (const entry of entries) {
      seq += entry.operations.length;
      if (entry.seq !== seq) return false;
    }
    return seq === this.#head.seq ? isSameMark(end, this.#head) : seq === end.seq;
  }

  append(entries: readonly DeliveredEntry[], end: Mark): void {
    if (entries.length === 0) return;
    for (const entry of entries) this.#unsaved.push(entry);
    this.#marks.push(end);
    this.#head = end;
    this.#forgetSaved();
  }

  /** `tag`, where known, makes the saved position a mark of its own: it always lies at the end of an entry. */
  noteSaved(seq: number, tag?: string): void {
    if (seq <= this.#savedSeq && seq <= this.#savedMark.seq) return;
    this.#savedSeq = Math.max(this.#savedSeq, seq);
    if (tag !== undefined && seq < this.#head.seq && seq > this.#savedMark.seq) {
      const index = this.#marks.findIndex((mark) => mark.seq >= seq);
      if (this.#marks[index]?.seq !== seq) this.#marks.splice(index, 0, { seq, tag });
    }
    this.#forgetSaved();
  }

  /** Whether the document still shows entries that may be void. */
  get isInDoubt(): boolean {
    return this.#doubtful.length > 0;
  }

  /** Puts everything after `base` in question. False: `base` is no mark of this history. */
  rollBackTo(base: Mark): boolean {
    const index = this.#marks.findIndex((mark) => isSameMark(mark, base));
    if (index < 0 && !isSameMark(base, this.#savedMark)) return false;
    this.#marks.length = index + 1;
    this.#head = base;
    this.#savedSeq = Math.min(this.#savedSeq, base.seq);
    const kept = this.#unsaved.findIndex((entry) => entry.seq > base.seq);
    if (kept >= 0) this.#doubtful.unshift(...this.#unsaved.splice(kept));
    return true;
  }

  /**
   * Compares what the server has with what is in question: the base of a fork is the last mark both sides can name, and mostly
   * more than that is the same. Answers how many of the entries are known already, and what turned out to be void.
   */
  reconcile(entries: readonly WireEntry[], isAll: boolean): { known: number; lost: readonly DeliveredEntry[] } {
    const different = entries.findIndex((entry, index) => !isSameEntry(entry, this.#doubtful[index]));
    const known = different < 0 ? entries.length : different;
    this.#doubtful.splice(0, known);
    return { known, lost: known < entries.length || isAll ? this.#doubtful.splice(0) : [] };
  }

  #forgetSaved(): void {
    const firstUnsaved = this.#marks.findIndex((mark) => mark.seq > this.#savedSeq);
    const saved = this.#marks.splice(0, firstUnsaved < 0 ? this.#marks.length : firstUnsaved);
    this.#savedMark = saved[saved.length - 1] ?? this.#savedMark;
    const firstKept = this.#unsaved.findIndex((entry) => entry.seq > this.#savedMark.seq);
    this.#unsaved.splice(0, firstKept < 0 ? this.#unsaved.length : firstKept);
  }
}

function isSameEntry(one: WireEntry, other: WireEntry | undefined): boolean {
  if (other === undefined || one.seq !== other.seq) return false;
  const isSameBatch = one.clientId === other.clientId && one.clientSeq === other.clientSeq;
  return isSameBatch && JSON.stringify(one.operations) === JSON.stringify(other.operations);
}
