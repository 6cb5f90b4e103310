import { entryTag } from '../../../src/ordering/tag';
import type { WireEntry } from '../../../src/protocol/entry';
import { GENESIS, isSameMark, type Mark } from '../../../src/protocol/positions';

export interface Link {
  readonly mark: Mark;
  readonly entry: WireEntry;
}

/** A history as one reader was told it, with the tags it must have had: computed here, not believed. */
export class HistoryChain {
  #start: Mark = GENESIS;
  #links: Link[] = [];

  get start(): Mark {
    return this.#start;
  }

  get head(): Mark {
    return this.#links[this.#links.length - 1]?.mark ?? this.#start;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  restart(mark: Mark): void {
    this.#start = mark;
    this.#links = [];
  }

  /** Answers what is wrong with the entry, or null. A wrong one is taken all the same, so that each fault is told once. */
  append(entry: WireEntry): string | null {
    const { head } = this;
    const { clientId, clientSeq, seq, operations } = entry;
    const count = operations.length;
    const tag = entryTag({
      prevTag: head.tag,
      clientId,
      clientSeq,
      count,
      seq,
      operations: JSON.stringify(operations),
    });
    this.#links.push({ mark: { seq, tag }, entry });
    if (seq === head.seq + count) return null;
    return `entry ${seq - count + 1}…${seq} ${seq - count < head.seq ? 'repeats what ends at' : 'skips what follows'} ${head.seq}`;
  }

  /** Takes back what follows `base` and answers it; null: there is no such mark here. */
  rollBackTo(base: Mark): readonly Link[] | null {
    const index = this.#links.findIndex(({ mark }) => isSameMark(mark, base));
    if (index < 0 && !isSameMark(base, this.#start)) return null;
    return this.#links.splice(index + 1);
  }

  /** The newest mark at or below `seq`. */
  markAtOrBelow(seq: number): Mark {
    let newest = this.#start;
    for (const { mark } of this.#links) {
      if (mark.seq > seq) break;
      newest = mark;
    }
    return newest;
  }

  linksUpTo(seq: number): readonly Link[] {
    const end = this.#links.findIndex(({ mark }) => mark.seq > seq);
    return end < 0 ? this.#links : this.#links.slice(0, end);
  }
}
