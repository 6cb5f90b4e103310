import { prevSeqOf, weightOf, type Entry } from '../protocol/entry';
import { GENESIS } from '../protocol/positions';
import { follow, movedOn } from './followed';
import type { HttpServices } from './http-services';

/** What is parsed and written again in one turn of the event loop. */
const MAX_PAGE_BYTES = 262_144;

interface HistoryPage {
  readonly entries: readonly Entry[];
  readonly next: number | null;
  readonly head: number;
  readonly saved: number;
  readonly prunedThrough?: number;
}

/** Entries after `after`: what is stored, then what has been ordered since. */
export async function readHistory(
  { store: { operationLog }, documents }: Pick<HttpServices, 'store' | 'documents'>,
  sessionId: string,
  after: number,
  limit: number,
): Promise<HistoryPage> {
  const stored = (await operationLog.head(sessionId)) ?? { epoch: 0, ...GENESIS };
  const { seq } = stored;
  const page = new Page(after, limit);
  while (!page.isFull && page.lastSeq < seq) {
    const read = await operationLog.readAfter(sessionId, page.lastSeq, MAX_PAGE_BYTES);
    if (read.length === 0) break;
    page.take(read);
  }
  const behind = await documents.behind(sessionId, stored);
  if (!page.isFull) {
    for await (const unsaved of follow(stored, behind.entries)) {
      page.take(unsaved);
      if (page.isFull) break;
    }
  }
  const { entries } = page;
  const head = Math.max(seq, behind.headSeq);
  const saved = Math.max(seq, behind.savedSeq);
  const next = entries.length > 0 && page.lastSeq < head ? page.lastSeq : null;
  // Stored, yet not there any more: then its predecessors are gone too (ST10).
  const prunedThrough = entries[0] ? prevSeqOf(entries[0]) : seq;
  return { entries, next, head, saved, ...(prunedThrough > after ? { prunedThrough } : {}) };
}

/** A page under way. */
class Page {
  readonly entries: Entry[] = [];
  readonly #limit: number;
  #lastSeq: number;
  #bytes = 0;

  constructor(after: number, limit: number) {
    this.#lastSeq = after;
    this.#limit = limit;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get isFull(): boolean {
    return this.entries.length >= this.#limit || this.#bytes >= MAX_PAGE_BYTES;
  }

  /** Entries in order; those that the page has already are passed over. */
  take(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (this.isFull) return;
      if (entry.seq <= this.#lastSeq) continue;
      if (this.entries.length > 0 && prevSeqOf(entry) !== this.#lastSeq) throw movedOn();
      this.entries.push(entry);
      this.#lastSeq = entry.seq;
      this.#bytes += weightOf(entry);
    }
  }
}
