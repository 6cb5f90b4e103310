import type { EventOrdering } from '../ordering/event-ordering';
import { markBefore, markOf, type Entry } from '../protocol/entry';
import { GENESIS, isSameMark, type Mark, type Position } from '../protocol/positions';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshot, Snapshots } from '../storage/snapshots';
import type { OpenSessions } from './open-sessions';

/** What one turn of the event loop reads from the store. */
const PAGE_BYTES = 262_144;

/** A document as it can be read: the latest snapshot and everything after it. */
export interface DocumentSource {
  readonly snapshot: Snapshot | null;
  readonly entries: AsyncIterable<readonly Entry[]>;
}

/** What is ordered behind a stored position. */
export interface OrderedBehind {
  /** The last position given out. */
  readonly headSeq: number;
  readonly savedSeq: number;
  readonly entries: AsyncIterable<readonly Entry[]>;
}

interface DocumentsServices {
  readonly openSessions: OpenSessions;
  readonly ordering: EventOrdering;
  readonly operationLog: OperationLog;
  readonly snapshots: Snapshots;
}

/**
 * Reads histories for those who are not in the session: through the open session if there is one, else from the store and, where the order is
 * shared, from the hot log behind it (EO8). Rejects with BACKEND_UNAVAILABLE where the hot log cannot be asked.
 */
export class Documents {
  readonly #openSessions: OpenSessions;
  readonly #ordering: EventOrdering;
  readonly #operationLog: OperationLog;
  readonly #snapshots: Snapshots;

  constructor({ openSessions, ordering, operationLog, snapshots }: DocumentsServices) {
    this.#openSessions = openSessions;
    this.#ordering = ordering;
    this.#operationLog = operationLog;
    this.#snapshots = snapshots;
  }

  /** The document as ordered up to this moment. */
  async source(sessionId: string): Promise<DocumentSource> {
    const snapshot = await this.#snapshots.latest(sessionId);
    const mark = snapshot?.at ?? GENESIS;
    const open = this.#openSessions.get(sessionId);
    if (open) return { snapshot, entries: open.entriesAfter(mark) };
    const stored = (await this.#operationLog.head(sessionId)) ?? { epoch: 0, ...GENESIS };
    const { entries } = await this.behind(sessionId, stored);
    return { snapshot, entries: this.#storedThen(sessionId, mark, stored, entries) };
  }

  /** What is ordered behind the stored head, up to this moment. A hot log that does not continue the store is none. */
  async behind(sessionId: string, stored: Position): Promise<OrderedBehind> {
    const open = this.#openSessions.get(sessionId);
    if (open) return { headSeq: open.position.seq, savedSeq: open.saved.seq, entries: open.entriesAfter(stored) };
    const nothing = { headSeq: stored.seq, savedSeq: stored.seq, entries: noEntries() };
    if (this.#ordering.scope === 'process') return nothing;
    const [hot] = await this.#ordering.describe([sessionId]);
    if (!hot || hot.head.seq <= stored.seq || !(await this.#isEpoch(sessionId, stored, hot.epoch))) return nothing;
    const first = await this.#page(sessionId, hot.epoch, stored);
    if (!first[0] || !isSameMark(markBefore(first[0]), stored)) return nothing;
    const headSeq = hot.head.seq;
    return { headSeq, savedSeq: stored.seq, entries: this.#hotFrom(sessionId, hot.epoch, first, headSeq) };
  }

  /** The epoch may have been opened since the store was read. */
  async #isEpoch(sessionId: string, stored: Position, epoch: number): Promise<boolean> {
    return stored.epoch === epoch || (await this.#operationLog.head(sessionId))?.epoch === epoch;
  }

  /** Below the floor of the hot log the store has it by now. Empty: it is another hot log. */
  async #page(sessionId: string, epoch: number, { seq }: Mark): Promise<readonly Entry[]> {
    const read = await this.#ordering.read(sessionId, seq, PAGE_BYTES);
    if (read?.log.epoch !== epoch) return [];
    return read.log.floor > seq ? this.#operationLog.readAfter(sessionId, seq, PAGE_BYTES) : read.entries;
  }

  async *#hotFrom(
    sessionId: string,
    epoch: number,
    first: readonly Entry[],
    headSeq: number,
  ): AsyncGenerator<readonly Entry[]> {
    for (let page = first; ; ) {
      const last = page[page.length - 1];
      if (!last) return;
      yield page;
      if (last.seq >= headSeq) return;
      page = await this.#page(sessionId, epoch, markOf(last));
    }
  }

  async *#storedThen(
    sessionId: string,
    mark: Mark,
    target: Mark,
    behind: AsyncIterable<readonly Entry[]>,
  ): AsyncGenerator<readonly Entry[]> {
    let after = mark;
    while (after.seq < target.seq) {
      const page = (await this.#operationLog.readAfter(sessionId, after.seq, PAGE_BYTES)).filter(
        ({ seq }) => seq <= target.seq,
      );
      const last = page[page.length - 1];
      if (!last) return;
      yield page;
      after = markOf(last);
    }
    yield* behind;
  }
}

async function* noEntries(): AsyncGenerator<readonly Entry[]> {}
