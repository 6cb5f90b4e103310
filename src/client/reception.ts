import type { WireEntry } from '../protocol/entry';
import { GENESIS, isSameMark, type Mark } from '../protocol/positions';
import type { Announcements, Replies, RequestInputs } from '../protocol/schemas';
import type { Answer } from './connection';
import type { Emitter } from './emitter';
import { DeliveredHistory, type DeliveredEntry } from './history';
import type { Holding } from './holding';
import type { Proposals } from './proposals';
import type { SessionEvents } from './session-events';

interface ReceptionOptions {
  readonly sessionId: string;
  readonly holding: Holding;
  readonly proposals: Proposals;
  readonly emitter: Emitter<SessionEvents>;
  readonly isLive: () => boolean;
  readonly rejoin: (atLeastMs?: number) => void;
  readonly catchUp: (request: RequestInputs['operation:catch-up'], answer: Answer<'operation:catch-up'>) => void;
  /** Some of ours were confirmed. */
  readonly onProgress: () => void;
  /** More was delivered while live. */
  readonly onDelivered: () => void;
  /** It is known what of ours the history has: the rest may be sent. */
  readonly onSettled: () => void;
}

type JoinReply = Replies['session:join'];

/**
 * A snapshot we began anew with. It may hold operations of ours that were sent and never confirmed: what was ordered between
 * `after` and the snapshot tells.
 */
interface UnsettledSnapshot {
  readonly seq: number;
  readonly after: Mark;
}

/**
 * What the server tells, made into what the editor is handed: entries in order, each once, own ones recognised, and where the
 * history turns out to be another, what is void (CL2).
 */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #history = new DeliveredHistory();
  /** False: nothing was delivered yet that a join could continue. */
  #hasHistory = false;
  #joined: JoinReply | null = null;
  /** What was saved when the last page was written: from then on we are told. */
  #savedAtEntry: Mark = GENESIS;
  #unsettled: UnsettledSnapshot | null = null;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  get head(): Mark {
    return this.#history.head;
  }

  get savedMark(): Mark {
    return this.#history.savedMark;
  }

  /** Whether the editor's document is the one at `head`. */
  get isCertain(): boolean {
    return this.#hasHistory && !this.#history.isInDoubt;
  }

  get have(): RequestInputs['session:join']['have'] {
    if (!this.#hasHistory) return undefined;
    const { epoch, head, savedMark } = this.#history;
    return { epoch, head, saved: savedMark };
  }

  // ————— the way in

  /** False: the reply makes no sense. */
  onJoined(reply: JoinReply): boolean {
    const { client, resume, head } = reply;
    const { queue } = this.#options.holding;
    this.#joined = reply;
    queue.noteJoined(client.clientId, client.lastClientSeq);
    if (resume === 'start') {
      this.#beginAnew(reply);
    } else if (resume !== 'continue') {
      const { base } = resume.fork;
      // A base we never named: nothing is left but to begin anew.
      if (!this.#history.rollBackTo(base)) return this.#forget();
      queue.rollBackAfter(base.seq);
    }
    this.#history.underEpoch(head.epoch);
    return true;
  }

  /** False: the page does not continue what we have. */
  onPage({ entries, next, head, more, saved }: Replies['operation:catch-up']): boolean {
    if (!this.#history.isContinuedBy(entries, next)) return this.#forget();
    this.#savedAtEntry = saved ?? this.#savedAtEntry;
    this.#history.underEpoch(head.epoch);
    this.#deliver(entries, next, !more);
    return true;
  }

  /** Everything the server had has been told. */
  onLive(): void {
    const joined = this.#joined;
    if (!joined) return;
    const { resume } = joined;
    const isUnsettled = this.#unsettled !== null && this.#options.holding.queue.isInDoubt;
    if (!isUnsettled) this.#settle();
    else if (this.#unsettled) this.#lookInto(this.#unsettled, joined);
    this.#noteSaved(this.#savedAtEntry.seq, this.#savedAtEntry.tag);
    this.#options.emitter.emit('caught-up', { resume: resume === 'start' || resume === 'continue' ? resume : 'fork' });
  }

  // ————— while live

  onBatch({ epoch, prevSeq, prevTag, entries, tag, saved }: Announcements['operation:batch']): void {
    const { isLive, rejoin } = this.#options;
    // While we join, the replies tell everything; what is older than our history is a repetition.
    if (!isLive() || epoch < this.#history.epoch) return;
    const last = entries[entries.length - 1];
    const { head } = this.#history;
    if (!last || last.seq < head.seq || (last.seq === head.seq && tag === head.tag)) return;
    const end = { seq: last.seq, tag };
    const isNext = isSameMark({ seq: prevSeq, tag: prevTag }, head) && this.#history.isContinuedBy(entries, end);
    if (!isNext) return rejoin();
    this.#history.underEpoch(epoch);
    this.#deliver(entries, end, true);
    if (isLive()) this.#noteSaved(saved);
  }

  onSaved({ epoch, saved, tag }: Announcements['operation:saved']): void {
    const { isLive, rejoin } = this.#options;
    if (!isLive() || epoch < this.#history.epoch) return;
    // Under a newer epoch the same seq may be another operation: ask before anything is let go.
    if (epoch > this.#history.epoch && !this.#history.hasMark({ seq: saved, tag })) return rejoin();
    this.#history.underEpoch(epoch);
    this.#noteSaved(saved, tag);
  }

  // ————— details

  #forget(): false {
    this.#hasHistory = false;
    return false;
  }

  #beginAnew({ snapshot, stateVector }: JoinReply): void {
    const { holding, emitter } = this.#options;
    this.#unsettled = snapshot ? { seq: snapshot.seq, after: holding.after } : null;
    this.#history.restart(snapshot ? { seq: snapshot.seq, tag: snapshot.tag } : GENESIS);
    this.#hasHistory = true;
    holding.queue.rollBackAfter(-1);
    emitter.emit('reset', { snapshot: snapshot ?? null, stateVector: stateVector ?? null });
  }

  /** `isAll`: the server has nothing beyond these. */
  #deliver(entries: readonly WireEntry[], end: Mark, isAll: boolean): void {
    const { holding, proposals, emitter, isLive, rejoin, onProgress, onDelivered } = this.#options;
    const { known, lost } = this.#history.reconcile(entries, isAll);
    let isTaken = false;
    const delivered = entries.map((entry): DeliveredEntry => {
      const verdict = holding.queue.confirm(entry);
      if (verdict === 'own') onProgress();
      if (verdict === 'taken') isTaken = true;
      return { ...entry, origin: verdict === 'own' ? 'own' : 'remote' };
    });
    const lastKnownSeq = entries[known - 1]?.seq ?? this.head.seq;
    this.#history.append(delivered, end);
    if (lost.length > 0) emitter.emit('fork', { seq: lastKnownSeq, rolledBack: lost });
    if (known < delivered.length) emitter.emit('entries', { entries: delivered.slice(known), head: end });
    proposals.onDelivered(end);
    if (!isLive()) return;
    if (isTaken) rejoin();
    else onDelivered();
  }

  #noteSaved(seq: number, tag?: string): void {
    const { holding, emitter } = this.#options;
    const before = this.#history.savedSeq;
    this.#history.noteSaved(seq, tag);
    const { savedSeq, savedMark } = this.#history;
    if (!this.#unsettled) holding.after = savedMark;
    holding.noteSaved(savedSeq, savedMark);
    if (savedSeq > before) emitter.emit('saved', { seq: savedSeq });
  }

  /**
   * The server has numbers of ours that no entry showed. Reads what went into the snapshot since; where that is pruned, the
   * server's word must do: only if another tab spoke for this client, in spite of the locks, may it be wrong.
   */
  #lookInto({ seq, after }: UnsettledSnapshot, joined: JoinReply): void {
    const { sessionId, holding, catchUp, isLive, rejoin } = this.#options;
    const isOver = (): boolean => !isLive() || this.#joined !== joined;
    const answer: Answer<'operation:catch-up'> = {
      onReply: ({ entries, next, more }) => {
        if (isOver()) return;
        for (const entry of entries) if (entry.seq <= seq) holding.queue.confirm(entry);
        if (next.seq < seq && more) return this.#lookInto({ seq, after: next }, joined);
        holding.queue.noteAllSeen();
        this.#settle();
      },
      onRefusal: ({ error }) => {
        if (isOver()) return;
        if (error.code !== 'NOT_JOINED') return rejoin(error.details.retryAfterMs);
        holding.queue.noteInSnapshot(joined.client.lastClientSeq, { epoch: joined.head.epoch, seq });
        this.#settle();
      },
    };
    catchUp({ sessionId, after }, answer);
  }

  #settle(): void {
    const { holding, proposals, emitter, onSettled } = this.#options;
    this.#unsettled = null;
    // What the snapshot turned out to hold is saved.
    this.#noteSaved(this.#history.savedSeq);
    const lost = proposals.settle(this.head);
    holding.queue.settleNumbers();
    holding.keep();
    if (lost.length > 0) emitter.emit('withdrawn', { proposals: lost });
    onSettled();
  }
}
