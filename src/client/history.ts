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

  /** Begins anew at a saved mark: a snapshot's, or the beginning. */
  restart(mark: Mark): void {
    this.#head = mark;
    this.#savedMark = mark;
    this.#savedSeq = mark.seq;
    this.#marks = [];
    this.#unsaved = [];
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

  /** Takes back everything after `base` and answers it; null where `base` is no mark of this history. */
  rollBackTo(base: Mark): DeliveredEntry[] | null {
    const index = this.#marks.findIndex((mark) => isSameMark(mark, base));
    if (index < 0 && !isSameMark(base, this.#savedMark)) return null;
    this.#marks.length = index + 1;
    this.#head = base;
    this.#savedSeq = Math.min(this.#savedSeq, base.seq);
    const kept = this.#unsaved.findIndex((entry) => entry.seq > base.seq);
    return kept < 0 ? [] : this.#unsaved.splice(kept);
  }

  #forgetSaved(): void {
    const firstUnsaved = this.#marks.findIndex((mark) => mark.seq > this.#savedSeq);
    const saved = this.#marks.splice(0, firstUnsaved < 0 ? this.#marks.length : firstUnsaved);
    this.#savedMark = saved[saved.length - 1] ?? this.#savedMark;
    const firstKept = this.#unsaved.findIndex((entry) => entry.seq > this.#savedMark.seq);
    this.#unsaved.splice(0, firstKept < 0 ? this.#unsaved.length : firstKept);
  }
}
