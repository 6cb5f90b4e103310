import type {
  Admitted,
  AppendResult,
  EventOrdering,
  Hint,
  HotLog,
  Submission,
} from '../../src/ordering/event-ordering';
import { entryTag } from '../../src/ordering/tag';
import { prevSeqOf, type ClientRow, type Entry } from '../../src/protocol/entry';
import { FlowError } from '../../src/protocol/errors';
import type { Mark, Position } from '../../src/protocol/positions';

/** How long clients wait for an order that is away. */
const RETRY_AFTER_MS = 20;

/**
 * An order behind a bad network: now and then a batch gets its place, but the answer and the hint are lost, and nobody gets through
 * any more until that batch is sent again. For one session.
 */
export class UnreliableOrdering implements EventOrdering {
  readonly scope: EventOrdering['scope'];
  readonly #inner: EventOrdering;
  readonly #losesNext: () => boolean;
  #lost: Submission | null = null;

  constructor(inner: EventOrdering, losesNext: () => boolean) {
    this.scope = inner.scope;
    this.#inner = inner;
    this.#losesNext = losesNext;
  }

  async append(sessionId: string, submission: Submission): Promise<AppendResult> {
    const { clientId, firstClientSeq } = submission;
    if (this.#lost) {
      if (this.#lost.clientId !== clientId || this.#lost.firstClientSeq !== firstClientSeq) throw away();
      this.#lost = null;
    } else if (this.#losesNext()) {
      this.#lost = submission;
    }
    const result = await this.#inner.append(sessionId, submission);
    if (this.#lost !== submission) return result;
    if (result.status === 'accepted') throw away();
    this.#lost = null;
    return result;
  }

  follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    return this.#inner.follow(sessionId, (hint) => {
      if (!this.#lost) onHint(hint);
    });
  }

  async describe(sessionIds: readonly string[]): Promise<ReadonlyArray<HotLog | null>> {
    if (this.#lost) throw away();
    return this.#inner.describe(sessionIds);
  }

  async read(sessionId: string, afterSeq: number, maxBytes: number): ReturnType<EventOrdering['read']> {
    if (this.#lost) throw away();
    return this.#inner.read(sessionId, afterSeq, maxBytes);
  }

  seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    return this.#inner.seed(sessionId, epoch, head);
  }

  admit(
    sessionId: string,
    epoch: number,
    clientId: string,
    stored: ClientRow | null,
  ): ReturnType<EventOrdering['admit']> {
    return this.#inner.admit(sessionId, epoch, clientId, stored);
  }

  markSaved(sessionId: string, saved: Position): Promise<void> {
    return this.#inner.markSaved(sessionId, saved);
  }

  release(sessionId: string): Promise<void> {
    return this.#inner.release(sessionId);
  }
}

const away = (): FlowError => new FlowError('BACKEND_UNAVAILABLE', undefined, { retryAfterMs: RETRY_AFTER_MS });

interface CarelessLog {
  readonly epoch: number;
  head: Mark;
  saved: Mark;
  entries: Entry[];
  /** The highest clientSeq of each client. */
  readonly clients: Map<string, number>;
  onHint: (hint: Hint) => void;
}

/** An order that looks at no `clientSeq`: whatever comes gets the next place. The rest is as it should be. */
export class CarelessOrdering implements EventOrdering {
  readonly scope = 'process';
  readonly #logs = new Map<string, CarelessLog>();

  async describe(sessionIds: readonly string[]): Promise<ReadonlyArray<HotLog | null>> {
    return sessionIds.map((sessionId) => {
      const log = this.#logs.get(sessionId);
      return log ? describeLog(log) : null;
    });
  }

  async seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    this.#logs.set(sessionId, { epoch, head, saved: head, entries: [], clients: new Map(), onHint: () => {} });
    return true;
  }

  async admit(sessionId: string, _epoch: number, clientId: string, stored: ClientRow | null): Promise<Admitted> {
    const { clients } = this.#log(sessionId);
    const lastClientSeq = Math.max(clients.get(clientId) ?? 0, stored?.clientSeq ?? 0);
    clients.set(clientId, lastClientSeq);
    // In one process nobody lags behind, so nobody waits for it.
    return { lastClientSeq, seq: 0 };
  }

  async append(sessionId: string, submission: Submission): Promise<AppendResult> {
    const log = this.#log(sessionId);
    const { clientId, userId, firstClientSeq, count, operations } = submission;
    const clientSeq = firstClientSeq + count - 1;
    const { seq: prevSeq, tag: prevTag } = log.head;
    const identity = { prevTag, clientId, clientSeq, count, seq: prevSeq + count, operations };
    const entry: Entry = { ...identity, epoch: log.epoch, tag: entryTag(identity), userId, at: Date.now() };
    log.entries.push(entry);
    log.head = { seq: entry.seq, tag: entry.tag };
    log.clients.set(clientId, Math.max(log.clients.get(clientId) ?? 0, clientSeq));
    log.onHint({ kind: 'entry', entry });
    return { status: 'accepted', entry };
  }

  async read(sessionId: string, afterSeq: number): Promise<{ log: HotLog; entries: readonly Entry[] }> {
    const log = this.#log(sessionId);
    return { log: describeLog(log), entries: log.entries.filter(({ seq }) => seq > afterSeq) };
  }

  async markSaved(sessionId: string, { epoch, seq, tag }: Position): Promise<void> {
    const log = this.#log(sessionId);
    if (epoch !== log.epoch) return;
    log.saved = { seq, tag };
    log.entries = log.entries.filter((entry) => entry.seq > seq);
  }

  async follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    this.#log(sessionId).onHint = onHint;
    return async () => {};
  }

  async release(): Promise<void> {}

  #log(sessionId: string): CarelessLog {
    const log = this.#logs.get(sessionId);
    if (!log) throw new Error(`${sessionId} was never seeded`);
    return log;
  }
}

const describeLog = ({ epoch, head, saved, entries }: CarelessLog): HotLog => {
  const [first] = entries;
  return { epoch, head, saved, floor: first ? prevSeqOf(first) : head.seq };
};
