import type { Admitted, AppendResult, Submission } from '../../src/ordering/event-ordering';
import { entryTag } from '../../src/ordering/tag';
import { markOf, type ClientRow, type Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark, type Position } from '../../src/protocol/positions';

interface Wish {
  readonly kind: string;
  readonly clientId: string;
  readonly size: number;
  readonly text: string;
  readonly base: string;
}

/** The rules of ordering as plainly as they can be written: every entry is kept for ever and compared by its content. */
export class OrderingModel {
  epoch = 1;
  /** The whole history, saved entries included. */
  entries: Entry[] = [];
  saved: Mark = GENESIS;
  /** Clients the hot log knows, with the last entry it knows of theirs. */
  readonly #known = new Map<string, Entry | null>();

  get head(): Mark {
    const last = this.entries[this.entries.length - 1];
    return last ? markOf(last) : GENESIS;
  }

  admit(clientId: string): Admitted {
    const stored = this.#lastOf(clientId, this.saved.seq);
    const known = this.#known.get(clientId) ?? null;
    const newer = (known?.clientSeq ?? 0) >= (stored?.clientSeq ?? 0) ? known : stored;
    this.#known.set(clientId, newer);
    return { lastClientSeq: newer?.clientSeq ?? 0, seq: newer?.seq ?? 0 };
  }

  storedRow(clientId: string): ClientRow | null {
    const entry = this.#lastOf(clientId, this.saved.seq);
    if (!entry) return null;
    const { clientSeq, seq, count, prevTag, tag } = entry;
    return { clientSeq, seq, count, prevTag, tag };
  }

  /** Saves up to so many entries more, and answers what the hot log is told. */
  saveSome(count: number): Position {
    const next = this.entries.filter(({ seq }) => seq > this.saved.seq).slice(0, count);
    const last = next[next.length - 1];
    if (last) this.saved = markOf(last);
    return { epoch: this.epoch, ...this.saved };
  }

  reseed(): void {
    this.epoch += 1;
    this.entries = this.entries.filter(({ seq }) => seq <= this.saved.seq);
    this.#known.clear();
  }

  /** What a client might send: the next batch, or one of the wrong ones. */
  submission({ kind, clientId, size, text, base }: Wish): Submission {
    const last = this.#known.get(clientId) ?? this.#lastOf(clientId, this.head.seq);
    const next = (last?.clientSeq ?? 0) + 1;
    const fresh = JSON.stringify(Array.from({ length: size }, (_, index) => `${text}${index}`));
    const draft = {
      epoch: this.epoch,
      clientId,
      userId: 'user-1',
      firstClientSeq: next,
      count: size,
      operations: fresh,
    };
    const marks: Record<string, Mark> = { head: this.head, stale: { seq: this.head.seq + 1, tag: '0123456789abcdef' } };
    const mark = marks[base];
    const submission: Submission = mark ? { ...draft, base: mark } : draft;
    switch (kind) {
      case 'resend':
        if (!last) return submission;
        return { ...submission, firstClientSeq: firstOf(last), count: last.count, operations: last.operations };
      case 'other-content':
        if (!last) return submission;
        return {
          ...submission,
          firstClientSeq: firstOf(last),
          count: last.count,
          operations: JSON.stringify(Array.from({ length: last.count }, () => 'something else')),
        };
      case 'older':
        return { ...submission, firstClientSeq: 1, count: Math.min(size, Math.max(1, next - 2)) };
      case 'gap':
        return { ...submission, firstClientSeq: next + size };
      case 'straddle':
        return {
          ...submission,
          firstClientSeq: Math.max(1, next - 1),
          count: size + 1,
          operations: JSON.stringify(Array(size + 1).fill(text)),
        };
      case 'epoch':
        return { ...submission, epoch: this.epoch + 1 };
      default:
        return submission;
    }
  }

  append(submission: Submission): AppendResult {
    const { epoch, clientId, userId, firstClientSeq, count, operations, base } = submission;
    if (epoch !== this.epoch) return { status: 'wrong-epoch' };
    const last = this.#known.get(clientId);
    if (last === undefined) return { status: 'client-unknown' };
    const accepted = last?.clientSeq ?? 0;
    const clientSeq = firstClientSeq + count - 1;
    if (last && clientSeq <= accepted) {
      const isLast = clientSeq === accepted && count === last.count;
      if (isLast && operations !== last.operations) return { status: 'conflict' };
      return { status: 'duplicate', epoch, seq: last.seq };
    }
    if (firstClientSeq !== accepted + 1) return { status: 'gap', expectedClientSeq: accepted + 1 };
    if (base && (base.seq !== this.head.seq || base.tag !== this.head.tag))
      return { status: 'stale-base', head: this.head };
    const { seq: prevSeq, tag: prevTag } = this.head;
    const identity = { prevTag, clientId, clientSeq, count, seq: prevSeq + count, operations };
    const entry: Entry = { ...identity, epoch, tag: entryTag(identity), userId, at: 0 };
    this.entries.push(entry);
    this.#known.set(clientId, entry);
    return { status: 'accepted', entry };
  }

  #lastOf(clientId: string, upToSeq: number): Entry | null {
    return this.entries.filter((entry) => entry.clientId === clientId && entry.seq <= upToSeq).at(-1) ?? null;
  }
}

const firstOf = ({ clientSeq, count }: Entry): number => clientSeq - count + 1;
