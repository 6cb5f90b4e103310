import type { WireEntry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { GENESIS, isSameMark, type Mark } from '../protocol/positions';
import type {
  Announcements,
  ClientCredentials,
  Participant,
  Replies,
  RequestInputs,
  Role,
  SessionInfo,
} from '../protocol/schemas';
import { Backoff, type BackoffOptions } from './backoff';
import type { Link } from './connection';
import { Emitter } from './emitter';
import { toHeldOperation } from './held-operation';
import { HeldQueue, type HeldBatch, type HeldCounts } from './held-queue';
import { DeliveredHistory, type DeliveredEntry } from './history';
import { Membership } from './membership';
import { Proposals, type Proposed } from './proposals';
import { Receipt } from './receipt';
import { RefusalCounter, type Refusal } from './refusals';
import { Sender } from './sender';
import type { SessionEvents, SessionStatus } from './session-events';
import type { StoredQueue } from './stored-queue';
import { Timers, type Clock } from './timers';

export interface SessionOptions {
  readonly sessionId: string;
  readonly connection: Link;
  readonly clock: Clock;
  readonly random: () => number;
  readonly backoff: BackoffOptions;
  readonly requestDeadlineMs: number;
  readonly maxHeldBytes: number;
  readonly stored: StoredQueue | null;
  readonly onClosed: () => void;
}

/** A held operation as it is shown to the user, or exported. */
export interface HeldOperationView {
  readonly operation: unknown;
  readonly state: 'unsent' | 'sent' | 'ordered';
}

/**
 * A snapshot we began anew with. It may hold operations of ours that were sent and never confirmed: what was ordered between
 * `after` and the snapshot tells.
 */
interface UnsettledSnapshot {
  readonly seq: number;
  readonly after: Mark;
}

/** EO10: what the server takes as one operation, as JSON. */
const MAX_OPERATION_BYTES = 1_048_576;
/** From here on `nearly-full` warns (CL4). */
const NEARLY_FULL = 0.8;

/** One shared document as one client sees it: what others did comes in order, what we do is kept until it is saved (CL1–CL4). */
export class FlowSession {
  readonly sessionId: string;
  readonly #options: SessionOptions;
  readonly #emitter = new Emitter<SessionEvents>();
  readonly #timers: Timers;
  readonly #queue = new HeldQueue();
  readonly #history = new DeliveredHistory();
  readonly #proposals = new Proposals(this.#queue);
  readonly #refusals = new RefusalCounter();
  readonly #backoff: Backoff;
  readonly #membership: Membership;
  readonly #sender: Sender;
  readonly #participants = new Map<string, Participant>();
  readonly #stopListening: Array<() => void>;
  #client: ClientCredentials | null = null;
  #info: SessionInfo | null = null;
  #role: Role | null = null;
  /** The reply this catching-up began with. */
  #joined: Replies['session:join'] | null = null;
  #hasHistory = false;
  /** Where this tab's earlier life was: what is restored was ordered behind it, if at all. */
  #restoredMark: Mark | null = null;
  #unsettled: UnsettledSnapshot | null = null;
  #writeRefusal: FlowError | null = null;
  #delayedBy: FlowError | null = null;
  #restoring: Promise<void> | undefined;
  #isPumpDue = false;
  #isNearlyFull = false;
  #wasFull = false;
  #lastStatus = '';
  #joinWaiters: Array<{ resolve: () => void; reject: (error: FlowError) => void }> = [];
  #savedWaiters: Array<{ resolve: () => void; reject: (error: FlowError) => void }> = [];

  /** Sent with every join: what the local document has already (yjs). */
  stateVector: (() => string | undefined) | null = null;

  constructor(options: SessionOptions) {
    const { sessionId, connection, clock, backoff, random, requestDeadlineMs, stored } = options;
    this.sessionId = sessionId;
    this.#options = options;
    this.#timers = new Timers(clock);
    this.#backoff = new Backoff(backoff, random);
    this.#sender = new Sender({
      sessionId,
      queue: this.#queue,
      submit: (request, answer) => connection.request('operation:submit', request, requestDeadlineMs, answer),
      maySend: (batch) => this.#isStored(batch),
      onAccepted: (batch) => this.#onAccepted(batch),
      onRefused: (batch, refusal) => this.#onRefused(batch, refusal),
    });
    this.#membership = new Membership({
      sessionId,
      connection,
      timers: this.#timers,
      backoff,
      random,
      deadlineMs: requestDeadlineMs,
      joinRequest: () => this.#joinRequest(),
      onJoined: (reply) => this.#onJoined(reply),
      onPage: (page) => this.#onPage(page),
      onLive: () => this.#onLive(),
      onInterrupted: () => this.#sender.halt(),
      onPhase: () => this.#onPhase(),
      onRefused: (refusal) => this.#onJoinRefused(refusal),
    });
    this.#stopListening = this.#listen(connection);
  }

  get status(): SessionStatus {
    const { phase } = this.#membership;
    const connection = this.#options.connection.status;
    const { counts } = this;
    switch (phase.kind) {
      case 'idle':
      case 'closed':
        return { state: phase.kind };
      case 'refused':
        return { state: 'refused', reason: phase.reason, isReading: false, ...counts };
      case 'disconnected':
        if (connection.state === 'refused')
          return { state: 'refused', reason: connection.reason, isReading: false, ...counts };
        if (connection.state === 'waiting') return { state: 'offline', reason: connection.reason, ...counts };
        return { state: 'connecting', ...counts };
      case 'paused':
      case 'joining':
      case 'catching-up':
        return { state: 'connecting', ...counts };
      case 'live':
        if (this.#writeRefusal) return { state: 'refused', reason: this.#writeRefusal, isReading: true, ...counts };
        if (counts.unsent + counts.ordered === 0) return { state: 'synced' };
        return { state: 'saving', ...(this.#delayedBy ? { delayedBy: this.#delayedBy } : {}), ...counts };
    }
  }

  /** Operations of ours: not known to be ordered, ordered but not saved, saved since this object was made. */
  get counts(): HeldCounts {
    return this.#queue.counts;
  }

  get heldBytes(): number {
    return this.#queue.bytes;
  }

  /** Where the delivered document is; moves with every `entries` event. */
  get head(): Mark {
    return this.#history.head;
  }

  /** The newest position at or below `saved` that can be named: nothing up to here is ever taken back. */
  get savedMark(): Mark {
    return this.#history.savedMark;
  }

  get clientId(): string | null {
    return this.#client?.clientId ?? null;
  }

  get info(): SessionInfo | null {
    return this.#info;
  }

  get role(): Role | null {
    return this.#role;
  }

  get participants(): readonly Participant[] {
    return [...this.#participants.values()];
  }

  get isLive(): boolean {
    return this.#membership.isLive;
  }

  get resources(): { timers: number; listeners: number } {
    return { timers: this.#timers.size, listeners: this.#emitter.listenerCount };
  }

  on<Name extends keyof SessionEvents>(name: Name, listener: (payload: SessionEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  off<Name extends keyof SessionEvents>(name: Name, listener: (payload: SessionEvents[Name]) => void): void {
    this.#emitter.off(name, listener);
  }

  /** Joins, and stays joined until `close`. Resolves when caught up for the first time, rejects when that is refused. */
  async join(): Promise<void> {
    const { stored } = this.#options;
    if (stored) await (this.#restoring ??= this.#restore(stored));
    this.#demandNotClosed();
    this.#membership.start();
    if (this.isLive) return;
    await new Promise<void>((resolve, reject) => this.#joinWaiters.push({ resolve, reject }));
  }

  /**
   * Operations that may be placed anywhere in the order. Returns at once: they are kept until they are saved, whatever happens
   * to the connection. Throws BUSY when no more can be kept (CL4), and TOO_LARGE.
   */
  submit(operations: readonly unknown[]): Receipt {
    this.#demandNotClosed();
    if (this.#proposals.isOpen)
      throw new FlowError('BAD_REQUEST', 'A proposal is under way; its session takes only proposals.');
    const held = this.#demandRoom(operations);
    const receipt = new Receipt();
    const last = held[held.length - 1];
    if (last) last.receipt = receipt;
    this.#queue.hold(held);
    this.#onHeld();
    return receipt;
  }

  /**
   * Operations that are placed right behind `base` as one batch, or not at all: for editors that rebase their own changes. One at
   * a time. Kept, and sent again over reconnects, until its fate is known; then resolves. Rejects when the server refuses it.
   */
  async propose(operations: readonly unknown[], base: Mark): Promise<Proposed> {
    this.#demandNotClosed();
    const { pending, open } = this.#queue;
    if (this.#proposals.isOpen || pending.length + open.length > 0) {
      throw new FlowError('BAD_REQUEST', 'Something is on its way already: propose when its fate is known.');
    }
    if (!this.#client || !this.#hasHistory || this.#history.isInDoubt) throw new FlowError('NOT_JOINED');
    const held = this.#demandRoom(operations);
    if (!isSameMark(base, this.head)) return { status: 'stale', head: this.head };
    const proposed = this.#proposals.open(this.#queue.holdProposal(held, base, this.#client.clientId));
    this.#onHeld();
    return proposed;
  }

  /** Everything not known to be saved, oldest first: what to export when the server will not take it. */
  heldOperations(): readonly HeldOperationView[] {
    const { ordered, open, pending } = this.#queue;
    const view = (batches: readonly HeldBatch[]): HeldOperationView[] =>
      batches.flatMap(({ operations, state }) => {
        const shown = state.kind === 'ordered' ? 'ordered' : state.kind === 'waiting' ? 'unsent' : 'sent';
        return operations.map(({ value }) => ({ operation: value, state: shown }));
      });
    return [
      ...view(ordered),
      ...view(open),
      ...pending.map(({ value }) => ({ operation: value, state: 'unsent' as const })),
    ];
  }

  /** Resolves as soon as everything submitted is saved; rejects when the session is closed, or refuses to write, before. */
  whenSaved(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { status } = this;
      if (status.state === 'refused') return reject(status.reason);
      this.#savedWaiters.push({ resolve, reject });
      this.#tellWaiters();
    });
  }

  /** Sends a state of an awareness protocol; while there is no connection, nothing is sent. `null` takes it away. */
  sendAwareness(awarenessId: string, clock: number, state: unknown): void {
    if (!this.isLive) return;
    this.#options.connection.send('awareness:update', { sessionId: this.sessionId, awarenessId, clock, state });
  }

  /** Offers the document at a saved position, so that later joiners need not read everything before (formats other than yjs). */
  offerSnapshot(at: Mark, payload: unknown): Promise<void> {
    const { connection, requestDeadlineMs } = this.#options;
    return new Promise((resolve, reject) => {
      connection.request('session:snapshot', { sessionId: this.sessionId, ...at, payload }, requestDeadlineMs, {
        onReply: () => resolve(),
        onRefusal: ({ error }) => reject(error),
      });
    });
  }

  /** Leaves. What is still held is lost unless a stored queue has it: wait for `whenSaved` first. */
  close(): void {
    if (this.#membership.phase.kind === 'closed') return;
    if (this.isLive) this.#options.connection.send('session:leave', { sessionId: this.sessionId });
    const closed = new FlowError('NOT_JOINED', 'The session was closed.');
    this.#membership.close();
    for (const stop of this.#stopListening) stop();
    this.#timers.clear();
    this.#proposals.giveUp(closed);
    this.#queue.giveUp(closed);
    this.#failWaiters(closed);
    this.#options.stored?.close(this.#queue.isEmpty);
    this.#options.onClosed();
    this.#emitter.clear();
  }

  #listen({ announcements }: Link): Array<() => void> {
    const mine =
      <Payload extends { sessionId: string }>(handle: (payload: Payload) => void) =>
      (payload: Payload): void => {
        if (payload.sessionId === this.sessionId) handle(payload);
      };
    return [
      announcements.on(
        'operation:batch',
        mine((batch: Announcements['operation:batch']) => this.#onBatch(batch)),
      ),
      announcements.on(
        'operation:saved',
        mine((saved: Announcements['operation:saved']) => this.#onSaved(saved)),
      ),
      announcements.on(
        'session:forked',
        mine(() => this.#membership.rejoin()),
      ),
      announcements.on(
        'session:closed',
        mine((closed: Announcements['session:closed']) => this.#onClosedByServer(closed.reason)),
      ),
      announcements.on(
        'session:renamed',
        mine((renamed: Announcements['session:renamed']) => this.#onRenamed(renamed.title)),
      ),
      announcements.on(
        'session:participants',
        mine((change: Announcements['session:participants']) => this.#onParticipants(change)),
      ),
      announcements.on(
        'awareness:update',
        mine((update: Announcements['awareness:update']) => {
          if (this.isLive) this.#emitter.emit('awareness', update.states);
        }),
      ),
    ];
  }

  // ————— the way in

  #joinRequest(): RequestInputs['session:join'] {
    const { head, savedMark: saved } = this.#history;
    const stateVector = this.stateVector?.();
    return {
      sessionId: this.sessionId,
      ...(this.#client ? { client: this.#client } : {}),
      ...(this.#hasHistory ? { have: { head, saved } } : {}),
      ...(stateVector === undefined ? {} : { stateVector }),
    };
  }

  #onJoined(reply: Replies['session:join']): boolean {
    const { client, resume, snapshot, session, role, head } = reply;
    this.#client = { clientId: client.clientId, signature: client.signature };
    this.#info = session;
    this.#role = role;
    this.#joined = reply;
    this.#queue.noteJoined(client.clientId, client.lastClientSeq);
    if (resume === 'start') {
      const after = this.#heldAfter();
      this.#unsettled = snapshot ? { seq: snapshot.seq, after } : null;
      this.#history.restart(snapshot ? { seq: snapshot.seq, tag: snapshot.tag } : GENESIS);
      this.#hasHistory = true;
      this.#queue.rollBackAfter(-1);
      this.#emitter.emit('reset', { snapshot: snapshot ?? null, stateVector: reply.stateVector ?? null });
    } else if (resume !== 'continue') {
      const { base } = resume.fork;
      // A base we never named: nothing is left but to begin anew.
      if (!this.#history.rollBackTo(base)) {
        this.#hasHistory = false;
        return false;
      }
      this.#queue.rollBackAfter(base.seq);
    }
    this.#history.underEpoch(head.epoch);
    return true;
  }

  #onPage({ entries, next, head, more }: Replies['operation:catch-up']): boolean {
    if (!this.#history.isContinuedBy(entries, next)) {
      this.#hasHistory = false;
      return false;
    }
    this.#history.underEpoch(head.epoch);
    this.#deliver(entries, next, !more);
    return true;
  }

  /** Everything the server had has been told. */
  #onLive(): void {
    const joined = this.#joined;
    if (!joined) return;
    const { resume, saved } = joined;
    this.#writeRefusal = null;
    this.#delayedBy = null;
    this.#participants.clear();
    for (const participant of joined.participants) this.#participants.set(participant.connectionId, participant);
    if (this.#unsettled && this.#queue.isInDoubt) this.#settleSnapshot(this.#unsettled, joined);
    else this.#startSending();
    this.#noteSaved(saved.seq, saved.tag);
    this.#emitter.emit('participants', this.participants);
    this.#emitter.emit('awareness', joined.awareness);
    this.#emitter.emit('caught-up', { resume: resume === 'start' || resume === 'continue' ? resume : 'fork' });
    this.#tellWaiters();
    this.#tellStatus();
  }

  /** What of ours the history does not have is sent, under numbers the server will take. */
  #startSending(): void {
    this.#unsettled = null;
    const lost = this.#proposals.settle(this.head);
    this.#queue.settleNumbers();
    this.#keep();
    if (lost.length > 0) this.#emitter.emit('withdrawn', { proposals: lost });
    if (this.isLive) this.#sender.run();
  }

  /**
   * The server has numbers of ours that no entry showed. Reads what went into the snapshot since; where that is pruned, the
   * server's word must do: only if another tab spoke for this client, in spite of the locks, it may be wrong.
   */
  #settleSnapshot({ seq, after }: UnsettledSnapshot, joined: Replies['session:join']): void {
    const { connection, requestDeadlineMs } = this.#options;
    const isOver = (): boolean => !this.isLive || this.#joined !== joined;
    connection.request('operation:catch-up', { sessionId: this.sessionId, after }, requestDeadlineMs, {
      onReply: ({ entries, next, more }) => {
        if (isOver()) return;
        for (const entry of entries) if (entry.seq <= seq) this.#queue.confirm(entry);
        if (next.seq < seq && more) return this.#settleSnapshot({ seq, after: next }, joined);
        this.#queue.noteAllSeen();
        this.#startSending();
        this.#noteSaved(this.#history.savedSeq);
        this.#tellStatus();
      },
      onRefusal: ({ error }) => {
        if (isOver()) return;
        if (error.code !== 'NOT_JOINED') return this.#membership.rejoin(error.details.retryAfterMs);
        this.#queue.noteInSnapshot(joined.client.lastClientSeq, { epoch: joined.head.epoch, seq });
        this.#startSending();
        this.#noteSaved(this.#history.savedSeq);
        this.#tellStatus();
      },
    });
  }

  /** Everything held was ordered behind this, if it was ordered at all. */
  #heldAfter(): Mark {
    if (this.#unsettled) return this.#unsettled.after;
    return this.#hasHistory ? this.#history.savedMark : (this.#restoredMark ?? GENESIS);
  }

  #onJoinRefused(refusal: Refusal): 'at-once' | 'later' | 'never' {
    const { error, action } = refusal;
    // The server's secret may have changed, or the stored identity is another user's: what is held goes under a new one.
    if (error.code === 'FORBIDDEN' && this.#client) {
      this.#client = null;
      return 'at-once';
    }
    if (action === 'stop' || this.#refusals.isHopeless(refusal, 'join')) return 'never';
    return 'later';
  }

  #onPhase(): void {
    const { phase } = this.#membership;
    const connection = this.#options.connection.status;
    if (phase.kind === 'refused') this.#failWaiters(phase.reason);
    else if (phase.kind === 'disconnected' && connection.state === 'refused') this.#failWaiters(connection.reason);
    this.#tellStatus();
  }

  // ————— what the server sends

  #onBatch({ epoch, prevSeq, prevTag, entries, tag, saved }: Announcements['operation:batch']): void {
    // While we join, the replies tell everything; what is older than our history is a repetition.
    if (!this.isLive || epoch < this.#history.epoch) return;
    const last = entries[entries.length - 1];
    const { head } = this.#history;
    if (!last || last.seq < head.seq || (last.seq === head.seq && tag === head.tag)) return;
    const end = { seq: last.seq, tag };
    if (!isSameMark({ seq: prevSeq, tag: prevTag }, head) || !this.#history.isContinuedBy(entries, end)) {
      return this.#membership.rejoin();
    }
    this.#history.underEpoch(epoch);
    this.#deliver(entries, end, true);
    if (this.isLive) this.#noteSaved(saved);
    this.#tellStatus();
  }

  #onSaved({ epoch, saved }: Announcements['operation:saved']): void {
    if (!this.isLive || epoch < this.#history.epoch) return;
    // Under a newer epoch the same seq may be another operation: ask before anything is let go.
    if (epoch > this.#history.epoch) return this.#membership.rejoin();
    this.#noteSaved(saved);
    this.#tellStatus();
  }

  /** `isAll`: the server has nothing beyond these. */
  #deliver(entries: readonly WireEntry[], end: Mark, isAll: boolean): void {
    const { known, lost } = this.#history.reconcile(entries, isAll);
    let isTaken = false;
    const delivered = entries.map((entry): DeliveredEntry => {
      const verdict = this.#queue.confirm(entry);
      if (verdict === 'own') this.#noteProgress();
      if (verdict === 'taken') isTaken = true;
      return { ...entry, origin: verdict === 'own' ? 'own' : 'remote' };
    });
    const after = entries[known - 1]?.seq ?? this.head.seq;
    this.#history.append(delivered, end);
    if (lost.length > 0) this.#emitter.emit('fork', { seq: after, rolledBack: lost });
    if (known < delivered.length) this.#emitter.emit('entries', { entries: delivered.slice(known), head: end });
    this.#proposals.onDelivered(end);
    if (!this.isLive) return;
    if (isTaken) this.#membership.rejoin();
    else for (const batch of this.#queue.open) this.#checkAccepted(batch);
    this.#sender.pump();
  }

  #noteProgress(): void {
    this.#refusals.clear();
    this.#backoff.reset();
    this.#delayedBy = null;
  }

  #noteSaved(seq: number, tag?: string): void {
    const before = this.#history.savedSeq;
    this.#history.noteSaved(seq, tag);
    const { savedSeq, savedMark } = this.#history;
    this.#queue.noteSaved(savedSeq);
    if (this.#queue.release(savedMark.seq) > 0) {
      this.#keep();
      this.#noteRoom();
    }
    if (savedSeq > before) this.#emitter.emit('saved', { seq: savedSeq });
    this.#tellWaiters();
  }

  #onClosedByServer(reason: Announcements['session:closed']['reason']): void {
    switch (reason) {
      case 'closed':
        return this.#membership.refuse(new FlowError('SESSION_NOT_FOUND', 'The session was closed.'));
      case 'replaced':
        return this.#onReplaced();
      case 'moved':
        return this.#membership.rejoin();
    }
  }

  #onRenamed(title: string): void {
    if (!this.#info) return;
    this.#info = { ...this.#info, title };
    this.#emitter.emit('renamed', this.#info);
  }

  #onParticipants({ joined, left }: Announcements['session:participants']): void {
    if (!this.isLive) return;
    for (const { connectionId } of left) this.#participants.delete(connectionId);
    for (const participant of joined) this.#participants.set(participant.connectionId, participant);
    this.#emitter.emit('participants', this.participants);
  }

  // ————— what becomes of what we sent

  #onAccepted(batch: HeldBatch): void {
    this.#checkAccepted(batch);
    this.#tellStatus();
  }

  /** The server has it, it says; the history up to there must show it. */
  #checkAccepted(batch: HeldBatch): void {
    const { state } = batch;
    if (state.kind !== 'accepted' || state.seq > this.head.seq) return;
    if (state.isDuplicate) this.#queue.noteNotInHistory(batch);
    this.#membership.rejoin();
  }

  #onRefused(batch: HeldBatch, refusal: Refusal): void {
    const { error, action } = refusal;
    if (error.code === 'CLIENT_REPLACED') return this.#onReplaced();
    if (action === 'rebase' && this.#proposals.onStaleBase(batch, error.details.head, this.head))
      return this.#sender.run();
    if (action === 'stop' || this.#refusals.isHopeless(refusal, batch.clientSeq))
      return this.#stopWriting(batch, error);
    switch (action) {
      case 'resend':
        return this.#resend(batch, error);
      case 'wait':
        return this.#sendAfter(error);
      case 'rebase':
      case 'rejoin':
        return this.#membership.rejoin(error.details.retryAfterMs);
    }
  }

  #resend(batch: HeldBatch, error: FlowError): void {
    const { expected } = error.details;
    if (expected === undefined) return this.#sendAfter(error);
    // The server lacks what we know to be ordered: only a join can tell what it has.
    if (expected < batch.clientSeq) return this.#membership.rejoin();
    this.#queue.splitAt(expected);
    this.#sender.run();
  }

  #sendAfter(error: FlowError): void {
    this.#delayedBy = error;
    this.#timers.after(this.#backoff.nextMs(error.details.retryAfterMs), () => {
      if (this.isLive) this.#sender.run();
    });
    this.#tellStatus();
  }

  /** What is held stays held; the next join tries once more. */
  #stopWriting(batch: HeldBatch, error: FlowError): void {
    if (this.#proposals.onRefused(batch, error)) return this.#sender.run();
    this.#writeRefusal = error;
    for (const { reject } of this.#savedWaiters.splice(0)) reject(error);
    this.#tellStatus();
  }

  /**
   * Another tab speaks for this client, because both were restored from one stored queue: we go on as a new client. First
   * everything in flight is answered, so that nothing is sent under the new name that was accepted under the old one.
   */
  #onReplaced(): void {
    if (!this.#client) return;
    this.#client = null;
    this.#options.stored?.moveOut();
    this.#sender.whenQuiet(() => this.#membership.rejoin());
  }

  // ————— holding

  #demandNotClosed(): void {
    if (this.#membership.phase.kind === 'closed') throw new FlowError('NOT_JOINED', 'The session was closed.');
  }

  #demandRoom(operations: readonly unknown[]): ReturnType<typeof toHeldOperation>[] {
    const { maxHeldBytes } = this.#options;
    const held = operations.map(toHeldOperation);
    if (held.length === 0) throw new FlowError('BAD_REQUEST', 'There are no operations.');
    const tooLarge = held.find(({ bytes }) => bytes > MAX_OPERATION_BYTES);
    if (tooLarge)
      throw new FlowError('TOO_LARGE', `An operation of ${tooLarge.bytes} bytes; ${MAX_OPERATION_BYTES} are allowed.`);
    const bytes = held.reduce((sum, operation) => sum + operation.bytes, this.#queue.bytes);
    if (bytes > maxHeldBytes) {
      this.#wasFull = true;
      throw new FlowError(
        'BUSY',
        `${this.#queue.bytes} bytes are waiting to be saved; more than ${maxHeldBytes} are not kept.`,
      );
    }
    return held;
  }

  #onHeld(): void {
    const { maxHeldBytes } = this.#options;
    this.#keep();
    if (!this.#isNearlyFull && this.heldBytes > maxHeldBytes * NEARLY_FULL) {
      this.#isNearlyFull = true;
      this.#emitter.emit('nearly-full', { heldBytes: this.heldBytes, maxHeldBytes });
    }
    this.#pumpSoon();
    this.#tellStatus();
  }

  #noteRoom(): void {
    const { maxHeldBytes } = this.#options;
    if (this.heldBytes > maxHeldBytes * NEARLY_FULL) return;
    this.#isNearlyFull = false;
    if (!this.#wasFull) return;
    this.#wasFull = false;
    this.#emitter.emit('room-again', { heldBytes: this.heldBytes, maxHeldBytes });
  }

  /** At the end of this turn, so that what is submitted in one turn is one batch. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#sender.pump();
    });
  }

  /** Nothing is sent that a reload could forget: it might be sent again under another number (CL2). */
  #isStored(batch: HeldBatch): boolean {
    const { stored } = this.#options;
    if (!stored || batch.version <= stored.version) return true;
    this.#keep();
    return false;
  }

  #keep(): void {
    this.#options.stored?.keep(this.#client, this.#heldAfter(), this.#queue);
  }

  async #restore(stored: StoredQueue): Promise<void> {
    const record = await stored.open({
      onStored: () => this.#sender.pump(),
      onFailed: (cause) => this.#emitter.emit('storage-failed', { cause }),
    });
    if (!record || this.#membership.phase.kind === 'closed') return;
    this.#client = record.client;
    this.#restoredMark = record.after;
    this.#queue.restore(record.client?.clientId ?? null, record.batches, record.pending);
    this.#keep();
    const operations = this.heldOperations().map(({ operation }) => operation);
    if (operations.length > 0) this.#emitter.emit('restored', { operations });
  }

  // ————— telling

  #tellWaiters(): void {
    if (this.isLive) for (const { resolve } of this.#joinWaiters.splice(0)) resolve();
    const { unsent, ordered } = this.#queue.counts;
    if (unsent + ordered === 0) for (const { resolve } of this.#savedWaiters.splice(0)) resolve();
  }

  #failWaiters(error: FlowError): void {
    for (const { reject } of [...this.#joinWaiters.splice(0), ...this.#savedWaiters.splice(0)]) reject(error);
  }

  #tellStatus(): void {
    const { status } = this;
    const text = JSON.stringify(status);
    if (text === this.#lastStatus) return;
    this.#lastStatus = text;
    this.#emitter.emit('status', status);
  }
}
