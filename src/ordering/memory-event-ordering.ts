import type { Clock } from '../lib/clock';
import { prevSeqOf, weightOf, type ClientRow, type Entry } from '../protocol/entry';
import { isSameMark, type Mark, type Position } from '../protocol/positions';
import type { Admitted, AppendResult, EventOrdering, Hint, HotLog, Submission } from './event-ordering';
import { entryTag } from './tag';

interface MemoryLog {
  readonly epoch: number;
  head: Mark;
  saved: Mark;
  floor: number;
  /** Everything after `floor`, in order. */
  entries: Entry[];
  readonly clients: Map<string, KnownClient>;
  /** With so many clients, those that have gone are looked for. */
  sweepAt: number;
}

interface KnownClient {
  readonly row: ClientRow;
  /** Monotonic time when it was admitted or wrote. */
  readonly seenAt: number;
}

/** Fewer clients are no matter. */
const FIRST_SWEEP_AT = 1_024;
/** Many times what passes between the moment a row is read from the store and the moment it is brought here. */
const CLIENT_REST_MS = 60_000;
const NEW_CLIENT: ClientRow = { clientSeq: 0, seq: 0, count: 0, prevTag: '', tag: '' };

/**
 * Event ordering inside one process: each method does its work in one turn, so nothing can come between check and write.
 * A client that has rested, and of which the store has everything, may be forgotten: it is unknown then, and brought back with its
 * row (EO11).
 */
export class MemoryEventOrdering implements EventOrdering {
  readonly scope: 'process' | 'shared';
  readonly #clock: Clock;
  readonly #logs = new Map<string, MemoryLog>();
  readonly #followers = new Map<string, Set<(hint: Hint) => void>>();

  /** `shared` is for several servers inside one process: the multi-instance rules then hold between them. */
  constructor({ clock, scope = 'process' }: { clock: Clock; scope?: 'process' | 'shared' }) {
    this.#clock = clock;
    this.scope = scope;
  }

  async describe(sessionIds: readonly string[]): Promise<ReadonlyArray<HotLog | null>> {
    return sessionIds.map((sessionId) => {
      const log = this.#logs.get(sessionId);
      return log ? describeLog(log) : null;
    });
  }

  async seed(sessionId: string, epoch: number, head: Mark): Promise<boolean> {
    const current = this.#logs.get(sessionId);
    if (current && current.epoch >= epoch) return false;
    const empty = { floor: head.seq, entries: [], clients: new Map<string, KnownClient>(), sweepAt: FIRST_SWEEP_AT };
    this.#logs.set(sessionId, { epoch, head, saved: head, ...empty });
    return true;
  }

  async admit(
    sessionId: string,
    epoch: number,
    clientId: string,
    stored: ClientRow | null,
  ): Promise<Admitted | 'wrong-epoch'> {
    const log = this.#logs.get(sessionId);
    if (!log || log.epoch !== epoch) return 'wrong-epoch';
    const known = log.clients.get(clientId)?.row ?? NEW_CLIENT;
    const row = stored && stored.clientSeq > known.clientSeq ? stored : known;
    const seenAt = this.#clock.monotonic();
    log.clients.set(clientId, { row, seenAt });
    if (log.clients.size >= log.sweepAt) forgetClients(log, seenAt - CLIENT_REST_MS);
    return { lastClientSeq: row.clientSeq, seq: row.seq };
  }

  async append(sessionId: string, submission: Submission): Promise<AppendResult> {
    const log = this.#logs.get(sessionId);
    if (!log || log.epoch !== submission.epoch) return { status: 'wrong-epoch' };
    const last = log.clients.get(submission.clientId)?.row;
    if (!last) return { status: 'client-unknown' };
    const refusal = refusalOf(submission, last, log.head);
    if (refusal) return refusal.status === 'duplicate' ? { ...refusal, epoch: log.epoch } : refusal;

    const { clientId, userId, count, operations } = submission;
    const clientSeq = submission.firstClientSeq + count - 1;
    const seq = log.head.seq + count;
    const prevTag = log.head.tag;
    const tag = entryTag({ prevTag, clientId, clientSeq, count, seq, operations });
    const at = this.#clock.now();
    const entry: Entry = { epoch: log.epoch, seq, count, prevTag, tag, clientId, clientSeq, userId, at, operations };
    log.entries.push(entry);
    log.head = { seq, tag };
    log.clients.set(clientId, { row: { clientSeq, seq, count, prevTag, tag }, seenAt: this.#clock.monotonic() });
    this.#tell(sessionId, { kind: 'entry', entry });
    return { status: 'accepted', entry };
  }

  async read(sessionId: string, afterSeq: number, maxBytes: number): Promise<{ log: HotLog; entries: Entry[] } | null> {
    const log = this.#logs.get(sessionId);
    if (!log) return null;
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = firstAfter(log.entries, afterSeq); index < log.entries.length && bytes < maxBytes; index += 1) {
      const entry = log.entries[index];
      if (!entry) break;
      entries.push(entry);
      bytes += weightOf(entry);
    }
    return { log: describeLog(log), entries };
  }

  async markSaved(sessionId: string, saved: Position): Promise<void> {
    const log = this.#logs.get(sessionId);
    if (!log || log.epoch !== saved.epoch || saved.seq <= log.saved.seq || saved.seq > log.head.seq) return;
    log.saved = { seq: saved.seq, tag: saved.tag };
    log.entries.splice(0, firstAfter(log.entries, saved.seq));
    log.floor = log.entries[0] ? prevSeqOf(log.entries[0]) : log.head.seq;
    this.#tell(sessionId, { kind: 'saved', saved });
  }

  async follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>> {
    const followers = this.#followers.get(sessionId) ?? new Set();
    this.#followers.set(sessionId, followers);
    followers.add(onHint);
    return async () => {
      followers.delete(onHint);
      if (followers.size === 0 && this.#followers.get(sessionId) === followers) this.#followers.delete(sessionId);
    };
  }

  async release(sessionId: string): Promise<void> {
    const log = this.#logs.get(sessionId);
    if (!log || this.#followers.has(sessionId)) return;
    if (this.scope === 'process' || isSameMark(log.saved, log.head)) this.#logs.delete(sessionId);
  }

  #tell(sessionId: string, hint: Hint): void {
    for (const onHint of this.#followers.get(sessionId) ?? []) onHint(hint);
  }
}

type Refusal = Exclude<AppendResult, { status: 'accepted' | 'duplicate' }> | { status: 'duplicate'; seq: number };

/** EO2–EO4: what stands against giving this batch the next place, or null. */
function refusalOf(submission: Submission, last: ClientRow, head: Mark): Refusal | null {
  const { firstClientSeq, count, base } = submission;
  const lastClientSeq = firstClientSeq + count - 1;
  if (lastClientSeq <= last.clientSeq) {
    const isLastBatch = lastClientSeq === last.clientSeq && count === last.count;
    return isLastBatch && tagAgain(submission, last) !== last.tag
      ? { status: 'conflict' }
      : { status: 'duplicate', seq: last.seq };
  }
  if (firstClientSeq !== last.clientSeq + 1) return { status: 'gap', expectedClientSeq: last.clientSeq + 1 };
  if (base && !isSameMark(base, head)) return { status: 'stale-base', head };
  return null;
}

const tagAgain = ({ clientId, operations }: Submission, { clientSeq, seq, count, prevTag }: ClientRow): string =>
  entryTag({ prevTag, clientId, clientSeq, count, seq, operations });

/** Those not seen since, whose last operation is in the store: nobody but a client of its own would miss them. */
function forgetClients(log: MemoryLog, seenBefore: number): void {
  for (const [clientId, { row, seenAt }] of log.clients) {
    if (seenAt < seenBefore && row.seq <= log.saved.seq) log.clients.delete(clientId);
  }
  log.sweepAt = Math.max(FIRST_SWEEP_AT, log.clients.size * 2);
}

const describeLog = ({ epoch, head, saved, floor }: MemoryLog): HotLog => ({ epoch, head, saved, floor });

/** Index of the first entry that reaches beyond `seq`; entries are in order. */
function firstAfter(entries: readonly Entry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.seq ?? Number.POSITIVE_INFINITY) > seq) high = middle;
    else low = middle + 1;
  }
  return low;
}
