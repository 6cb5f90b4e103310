import { FlowError } from '../protocol/errors';
import { isSameMark, type Mark } from '../protocol/positions';
import type {
  AccessList,
  Announcements,
  LinkAccess,
  Participant,
  Replies,
  RequestInputs,
  RequestName,
  Role,
  SessionInfo,
} from '../protocol/schemas';
import { AwarenessSender } from './awareness-sender';
import { Backoff, type BackoffOptions } from './backoff';
import type { Link } from './connection';
import { Dispatch } from './dispatch';
import { Emitter } from './emitter';
import { toJsonText, utf8Length } from './held-operation';
import type { HeldCounts } from './held-queue';
import { Holding, type HeldOperationView } from './holding';
import { slowTransferMs, tooLarge, type Limits } from './limits';
import { Membership } from './membership';
import { Proposals, type Proposed } from './proposals';
import { Receipt } from './receipt';
import { Reception } from './reception';
import type { Refusal } from './refusals';
import type { SessionEvents } from './session-events';
import { statusOf, type SessionStatus } from './session-status';
import type { StoredQueue } from './stored-queue';
import { Surroundings } from './surroundings';
import { Timers, type Clock } from './timers';
import { Waiters } from './waiters';

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

/** One shared document as one client sees it: what others did comes in order, what we do is kept until it is saved (CL1–CL4). */
export class FlowSession {
  readonly sessionId: string;
  readonly #options: SessionOptions;
  readonly #emitter = new Emitter<SessionEvents>();
  readonly #timers: Timers;
  readonly #holding: Holding;
  readonly #proposals: Proposals;
  readonly #reception: Reception;
  readonly #dispatch: Dispatch;
  readonly #membership: Membership;
  readonly #awareness: AwarenessSender;
  readonly #surroundings = new Surroundings(this.#emitter);
  readonly #stopListening: Array<() => void>;
  readonly #joining = new Waiters();
  readonly #saving = new Waiters();
  #lastStatus = '';
  #departures = 0;

  /** Sent with every join: what the local document has already (yjs). */
  stateVector: (() => string | undefined) | null = null;

  constructor(options: SessionOptions) {
    const { sessionId, connection, clock, backoff, random, requestDeadlineMs, maxHeldBytes, stored } = options;
    this.sessionId = sessionId;
    this.#options = options;
    this.#timers = new Timers(clock);
    this.#holding = new Holding({ maxHeldBytes, stored, emitter: this.#emitter });
    this.#proposals = new Proposals(this.#holding.queue);
    const shared = {
      sessionId,
      holding: this.#holding,
      proposals: this.#proposals,
      isLive: () => this.isLive,
      rejoin: (atLeastMs?: number) => this.#membership.rejoin(atLeastMs),
    };
    this.#reception = new Reception({
      ...shared,
      emitter: this.#emitter,
      catchUp: (request, answer) => connection.request('operation:catch-up', request, requestDeadlineMs, answer),
      onProgress: () => this.#dispatch.onProgress(),
      onDelivered: () => this.#dispatch.onDelivered(),
      onSettled: () => this.#onSettled(),
    });
    this.#dispatch = new Dispatch({
      ...shared,
      timers: this.#timers,
      backoff: new Backoff(backoff, random),
      submit: (request, bytesInFlight, answer) =>
        connection.submit(request, requestDeadlineMs + slowTransferMs(bytesInFlight), answer),
      head: () => this.head,
      onChanged: () => this.#tell(),
      onStopped: (reason) => this.#onStopped(reason),
    });
    this.#awareness = new AwarenessSender({ connection, timers: this.#timers, deadlineMs: requestDeadlineMs });
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
      onInterrupted: () => {
        this.#dispatch.halt();
        this.#awareness.halt();
      },
      onPhase: () => this.#onPhase(),
      onRefused: (refusal) => this.#onJoinRefused(refusal),
    });
    this.#stopListening = this.#listen(connection);
  }

  get status(): SessionStatus {
    const { refused, delayedBy } = this.#dispatch;
    const { phase } = this.#membership;
    return statusOf({
      phase,
      connection: this.#options.connection.status,
      counts: this.counts,
      writeRefusal: refused?.error ?? null,
      delayedBy,
      isReadOnly: this.isReadOnly,
    });
  }

  /** Operations of ours: not known to be ordered, ordered but not saved, saved since this object was made. */
  get counts(): HeldCounts {
    return this.#holding.queue.counts;
  }

  get heldBytes(): number {
    return this.#holding.queue.bytes;
  }

  /** Where the delivered document is; moves with every `entries` event. */
  get head(): Mark {
    return this.#reception.head;
  }

  /** The newest position at or below `saved` that can be named: nothing up to here is ever taken back. */
  get savedMark(): Mark {
    return this.#reception.savedMark;
  }

  get clientId(): string | null {
    return this.#holding.client?.clientId ?? null;
  }

  get info(): SessionInfo | null {
    return this.#surroundings.info;
  }

  /** What we may do; null before the first join. */
  get role(): Role | null {
    return this.#surroundings.role;
  }

  /** By our role nothing of ours would be taken. False while that is not known. */
  get isReadOnly(): boolean {
    return this.#surroundings.isReadOnly;
  }

  get participants(): readonly Participant[] {
    return this.#surroundings.participants;
  }

  /** What the server takes at most, as far as it has told. */
  get limits(): Limits {
    return this.#holding.queue.limits;
  }

  /** Joined and caught up. */
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

  /** Joins, and stays joined until `leave` or `close`. Resolves when caught up, rejects when that is refused, or given up. */
  async join(): Promise<void> {
    const departures = this.#departures;
    // The connection opens while a stored queue is read.
    if (this.#membership.phase.kind !== 'closed') this.#options.connection.connect();
    await this.#holding.restore(() => this.#dispatch.pump());
    this.#demandNotClosed();
    if (departures !== this.#departures) throw leftError();
    this.#membership.start();
    if (!this.isLive) await this.#joining.wait();
  }

  /**
   * Operations that may be placed anywhere in the order. Returns at once: they are kept until they are saved, whatever happens
   * to the connection. Throws BUSY when no more can be kept (CL4), and BAD_REQUEST or TOO_LARGE for what is never taken.
   */
  submit(operations: readonly unknown[]): Receipt {
    this.#demandNotClosed();
    if (this.#proposals.isOpen) {
      throw new FlowError('BAD_REQUEST', 'A proposal is under way; its session takes only proposals.');
    }
    const held = this.#holding.admit(operations);
    const receipt = new Receipt();
    for (const operation of held) operation.partOf = receipt;
    const last = held[held.length - 1];
    if (last) last.receipt = receipt;
    this.#holding.queue.hold(held);
    this.#onHeld();
    return receipt;
  }

  /**
   * Operations that are placed right behind `base` as one batch, or not at all: for editors that rebase their own changes. One at
   * a time. Kept, and sent again over reconnects, until its fate is known; then resolves. Rejects when the server refuses it.
   */
  async propose(operations: readonly unknown[], base: Mark): Promise<Proposed> {
    this.#demandNotClosed();
    const { queue, client } = this.#holding;
    if (this.#proposals.isOpen || queue.pending.length + queue.open.length > 0) {
      throw new FlowError('BAD_REQUEST', 'Something is on its way already: propose when its fate is known.');
    }
    if (!client || !this.#reception.isCertain) throw new FlowError('NOT_JOINED');
    const held = this.#holding.admitBatch(operations);
    if (!isSameMark(base, this.head)) return { status: 'stale', head: this.head };
    const proposed = this.#proposals.open(queue.holdProposal(held, base, client.clientId));
    this.#onHeld();
    return proposed;
  }

  /** Everything not known to be saved, oldest first: what to export when the server will not take it. */
  heldOperations(): readonly HeldOperationView[] {
    return this.#holding.views;
  }

  /**
   * Where the status is `refused`: lets go of what was refused, so that the rest can go on, and answers it. That is the one operation
   * the server does not take; where it lets us not write at all or not in, everything that is not known to be ordered.
   */
  discardRefused(): readonly unknown[] {
    const { status } = this;
    if (status.state !== 'refused') return [];
    const { reason, isReading } = status;
    const batch = isReading ? (this.#dispatch.refused?.batch ?? null) : null;
    const discarded = this.#holding.discard(batch, reason);
    if (!batch) this.#proposals.giveUp(reason);
    this.#dispatch.forgetRefused();
    this.#tell();
    return discarded;
  }

  /** Resolves as soon as everything submitted is saved; rejects when the session is closed, or refuses to write, before. */
  async whenSaved(): Promise<void> {
    const { status } = this;
    if (status.state === 'refused') throw status.reason;
    const { unsent, ordered } = this.counts;
    if (unsent + ordered > 0) await this.#saving.wait();
  }

  /** Sends a state of an awareness protocol; while not joined, nothing is sent. `null` takes it away. */
  sendAwareness(awarenessId: string, clock: number, state: unknown): void {
    if (!this.isLive) return;
    this.#awareness.send({ sessionId: this.sessionId, awarenessId, clock, state });
  }

  /**
   * Offers the document at a saved position, so that later joiners need not read everything before (formats other than yjs). It may
   * have as many bytes as a batch, or is refused with TOO_LARGE.
   */
  async offerSnapshot(at: Mark, payload: unknown): Promise<void> {
    const { batchBytes } = this.limits;
    const bytes = utf8Length(toJsonText(payload, 'The snapshot'));
    if (bytes > batchBytes) throw tooLarge('A snapshot', bytes, batchBytes);
    await this.#request('session:snapshot', { sessionId: this.sessionId, ...at, payload }, slowTransferMs(bytes));
  }

  /** Who was given which role, and what the link gives. For editors and owners. */
  listRoles(): Promise<AccessList> {
    return this.#askRoles('role:list', { sessionId: this.sessionId });
  }

  /** Gives somebody a role, or takes it away (`none`): everywhere within a second, also where they are connected. For owners. */
  setRole(userId: string, role: Role | 'none'): Promise<AccessList> {
    return this.#askRoles('role:set', { sessionId: this.sessionId, userId, role });
  }

  /** Sets what everybody is who knows the id of the session. For owners. */
  setLink(role: LinkAccess): Promise<AccessList> {
    return this.#askRoles('role:set', { sessionId: this.sessionId, link: true, role });
  }

  /** Leaves until `join` is called again. What is held stays held and is sent then; what is submitted meanwhile, too. */
  leave(): void {
    this.#departures += 1;
    this.#membership.leave();
    this.#joining.reject(leftError());
  }

  /** Leaves for good. What is still held is lost unless a stored queue has it: wait for `whenSaved` first. */
  close(): void {
    if (this.#membership.phase.kind === 'closed') return;
    if (this.isLive) this.#options.connection.send('session:leave', { sessionId: this.sessionId });
    const closed = closedError();
    this.#membership.close();
    for (const stop of this.#stopListening) stop();
    this.#timers.clear();
    this.#proposals.giveUp(closed);
    this.#holding.close(closed);
    this.#joining.reject(closed);
    this.#saving.reject(closed);
    this.#options.onClosed();
    this.#emitter.clear();
  }

  #listen({ announcements }: Link): Array<() => void> {
    const heard = <Name extends keyof Announcements>(
      name: Name,
      handle: (payload: Announcements[Name]) => void,
    ): (() => void) =>
      announcements.on(name, (payload) => {
        if (!('sessionId' in payload) || payload.sessionId !== this.sessionId) return;
        handle(payload);
        this.#tell();
      });
    return [
      heard('operation:batch', (batch) => this.#reception.onBatch(batch)),
      heard('operation:saved', (saved) => this.#reception.onSaved(saved)),
      heard('session:forked', () => this.#membership.rejoin()),
      heard('session:closed', ({ reason }) => this.#onClosedByServer(reason)),
      heard('session:renamed', ({ title }) => this.#surroundings.onRenamed(title)),
      heard('session:role', ({ role }) => this.#onRole(role)),
      heard('session:participants', (change) => {
        if (this.isLive) this.#surroundings.onParticipants(change);
      }),
      heard('awareness:update', ({ states }) => {
        if (this.isLive) this.#emitter.emit('awareness', states);
      }),
    ];
  }

  // ————— joining

  #joinRequest(): RequestInputs['session:join'] {
    const { client } = this.#holding;
    const { have } = this.#reception;
    const stateVector = this.stateVector?.();
    return {
      sessionId: this.sessionId,
      ...(client ? { client } : {}),
      ...(have ? { have } : {}),
      ...(stateVector === undefined ? {} : { stateVector }),
    };
  }

  #onJoined(reply: Replies['session:join']): boolean {
    const { client, limits } = reply;
    this.#holding.queue.limits = limits;
    this.#holding.client = { clientId: client.clientId, signature: client.signature };
    this.#surroundings.onJoined(reply);
    return this.#reception.onJoined(reply);
  }

  #onPage(page: Replies['operation:catch-up']): boolean {
    this.#surroundings.onPage(page);
    return this.#reception.onPage(page);
  }

  #onLive(): void {
    this.#surroundings.onLive();
    this.#reception.onLive();
    if (this.isLive) this.#joining.resolve();
    this.#tell();
  }

  #onSettled(): void {
    this.#dispatch.begin();
    this.#tell();
  }

  #onJoinRefused(refusal: Refusal): 'at-once' | 'later' | 'never' {
    // The server's secret may have changed, or the stored identity is another user's. Whatever of ours the history shows under
    // the old one is confirmed, and only what it lacks goes under a new one.
    if (refusal.error.code === 'CLIENT_INVALID' && this.#holding.client) {
      this.#holding.client = null;
      return 'at-once';
    }
    return refusal.action === 'stop' || this.#dispatch.isHopeless(refusal, 'join') ? 'never' : 'later';
  }

  #onPhase(): void {
    const { status } = this;
    if (status.state === 'refused') {
      this.#joining.reject(status.reason);
      this.#saving.reject(status.reason);
    }
    this.#tell();
  }

  #onStopped(reason: FlowError): void {
    this.#saving.reject(reason);
    this.#tell();
  }

  // ————— what else the server says

  #onClosedByServer(reason: Announcements['session:closed']['reason']): void {
    switch (reason) {
      case 'closed':
        return this.#membership.refuse(new FlowError('SESSION_NOT_FOUND', 'The session was closed.'));
      case 'replaced':
        return this.#dispatch.onReplaced();
      case 'forbidden':
        return this.#membership.refuse(new FlowError('FORBIDDEN', 'You may not know of this session any more.'));
      case 'moved':
        return this.#membership.rejoin();
    }
  }

  /** What the server did not take from a reader, it takes from a writer. */
  #onRole(role: Role): void {
    const wasReadOnly = this.isReadOnly;
    this.#surroundings.onRole(role);
    if (wasReadOnly && !this.isReadOnly) this.#dispatch.begin();
  }

  // ————— details

  async #askRoles<Name extends 'role:list' | 'role:set'>(
    name: Name,
    payload: RequestInputs[Name],
  ): Promise<AccessList> {
    const { roles, link } = await this.#request(name, payload);
    return { roles, link };
  }

  #request<Name extends RequestName>(name: Name, payload: RequestInputs[Name], slowMs = 0): Promise<Replies[Name]> {
    const { connection, requestDeadlineMs } = this.#options;
    return new Promise((resolve, reject) => {
      connection.request(name, payload, requestDeadlineMs + slowMs, {
        onReply: resolve,
        onRefusal: ({ error }) => reject(error),
      });
    });
  }

  #demandNotClosed(): void {
    if (this.#membership.phase.kind === 'closed') throw closedError();
  }

  #onHeld(): void {
    this.#holding.onAdded();
    this.#dispatch.pumpSoon();
    this.#tell();
  }

  /** Tells those who wait, and everybody if the status has changed. */
  #tell(): void {
    const { unsent, ordered } = this.counts;
    if (unsent + ordered === 0) this.#saving.resolve();
    const { status } = this;
    const text = JSON.stringify(status);
    if (text === this.#lastStatus) return;
    this.#lastStatus = text;
    this.#emitter.emit('status', status);
  }
}

const closedError = (): FlowError => new FlowError('NOT_JOINED', 'The session was closed.');
const leftError = (): FlowError => new FlowError('NOT_JOINED', 'The session was left.');
