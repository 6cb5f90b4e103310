import type { ClientIdentity } from '../access/client-identity';
import type { WebSocketManager } from '../connections/websocket-manager';
import { backoffDelay } from '../lib/backoff';
import { pause, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { AppendResult, EventOrdering, HotLog, Submission } from '../ordering/event-ordering';
import type { SaveDuty } from '../ordering/save-duty';
import { toWireEntry, type ClientRow, type Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import type { Mark, Position } from '../protocol/positions';
import type { ClientCredentials, Participant, Replies, Requests, Role, SessionInfo } from '../protocol/schemas';
import type { DocumentFolder } from '../storage/document-folder';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshots } from '../storage/snapshots';
import type { Participants } from '../sessions/participants';
import type { Telemetry } from '../telemetry/telemetry';
import { Awareness } from './awareness';
import { Audience, type Page } from './audience';
import { Feed, type FeedListener, type Known } from './feed';
import { History } from './history';
import { Members } from './members';
import { openSession, type Opened } from './opening';
import { encodeJsonValue, encodeOperations, type OperationLimits } from './operations';
import type { Saver } from './saver';
import { SessionSaving } from './session-saving';
import type { Snapshotter } from './snapshotter';
import type { RingLimits } from './tail';

/** A page of the wire holds at most so many entries unless the client asks for fewer. */
const PAGE_ENTRIES = 5_000;
/** How long a client waits that was refused because the session or the store is not ready. */
const RETRY_AFTER_MS = 250;
const REOPEN_BACKOFF = { firstMs: 50, ceilingMs: 10_000 };

export interface LiveLimits extends OperationLimits {
  readonly ring: RingLimits;
  /** Of all sessions of this instance (EO10). */
  readonly maxUnsavedBytes: number;
  readonly fanOutIntervalMs: number;
  readonly awarenessIntervalMs: number;
  readonly awarenessBytesPerSecond: number;
  readonly slowConsumerBytes: number;
}

export interface LiveServices {
  readonly ordering: EventOrdering;
  readonly saveDuty: SaveDuty;
  readonly operationLog: OperationLog;
  readonly snapshots: Snapshots;
  readonly folder: DocumentFolder;
  readonly participants: Participants;
  readonly sockets: WebSocketManager;
  readonly identity: ClientIdentity;
  readonly saver: Saver;
  readonly snapshotter: Snapshotter;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: LiveLimits;
  readonly onSaved: ((saved: { sessionId: string } & Position) => void) | undefined;
}

/** Who speaks: a client admitted to the session. */
export interface Speaker {
  readonly clientId: string;
  readonly userId: string;
  readonly role: Role;
}

/** A connection on its way in. */
export interface Joiner {
  readonly connectionId: string;
  readonly userId: string;
  readonly isAlive: () => boolean;
}

export type ClosedReason = 'idle' | 'closed' | 'moved' | 'stopped';

type State =
  | { readonly kind: 'open' }
  /** What is ordered is still delivered and saved; nothing new is accepted. */
  | { readonly kind: 'draining' }
  /** A discontinuity was found; nothing is accepted until the history is certain again (DL4). */
  | { readonly kind: 'reopening'; readonly resumeAs: 'open' | 'draining' }
  | { readonly kind: 'closed'; readonly reason: ClosedReason };

/**
 * What an open session does in this process: gives every submit its way into the order, hands what the feed brings to fan-out
 * and saver, and opens the session again when the log and the tail disagree.
 */
export class OpenSession implements FeedListener {
  readonly sessionId: string;
  /** Resolves when the session is closed and has let go of everything. */
  readonly ended: Promise<void>;
  readonly saving: SessionSaving;
  readonly #services: LiveServices;
  readonly #log: Logger;
  readonly #history: History;
  readonly #feed: Feed;
  readonly #audience: Audience;
  readonly #members: Members;
  readonly #awareness: Awareness;
  readonly #onClosed: (reason: ClosedReason) => void;
  #info: SessionInfo;
  #state: State = { kind: 'open' };
  #saved: Mark;
  #joinsUnderWay = 0;
  /** Monotonic time since when nobody is here. */
  #idleSince: number;
  #resolveEnded: () => void = () => {};

  static async open(
    services: LiveServices,
    info: SessionInfo,
    onClosed: (session: OpenSession, reason: ClosedReason) => void,
  ): Promise<OpenSession> {
    const opened = await openSession(services, info.sessionId);
    const session = new OpenSession(services, info, opened, (reason) => onClosed(session, reason));
    try {
      await session.#begin();
    } catch (fault) {
      await session.close('stopped');
      throw fault;
    }
    return session;
  }

  private constructor(
    services: LiveServices,
    info: SessionInfo,
    start: Opened,
    onClosed: (reason: ClosedReason) => void,
  ) {
    const { sessionId } = info;
    const { sockets, clock, limits } = services;
    this.sessionId = sessionId;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#services = services;
    this.#info = info;
    this.#onClosed = onClosed;
    this.#log = services.log.child({ sessionId });
    this.#history = new History(sessionId, info.format, services);
    this.#feed = new Feed(sessionId, services, this.#log, start, this);
    this.#saved = start.saved;
    this.saving = new SessionSaving(sessionId, services, this.#feed, this.#log, this);
    this.#audience = new Audience(sessionId, services, this.#history, this.#log, start);
    this.#idleSince = clock.monotonic();
    this.#awareness = new Awareness({
      clock,
      intervalMs: limits.awarenessIntervalMs,
      bytesPerSecond: limits.awarenessBytesPerSecond,
      send: (states) => sockets.toSessionHere(sessionId, 'awareness:update', { sessionId, states }),
    });
    this.#members = new Members(sessionId, services, ({ connectionId }) => {
      this.#awareness.leave(connectionId);
      this.#idleSince = clock.monotonic();
      services.participants
        .leave(sessionId, connectionId)
        .catch((cause: unknown) => this.#log.warn({ err: cause }, 'a participant stays until the lease ends'));
    });
  }

  get position(): Position {
    return this.#feed.position;
  }

  get saved(): Mark {
    return this.#saved;
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** What the log must have when it is asked now; an answer that falls behind it has lost something (DL3). */
  get known(): Known {
    return this.#feed.known;
  }

  get connectionIds(): readonly string[] {
    return this.#members.connectionIds();
  }

  /** Milliseconds without a connection and with everything saved; 0 while it is needed. */
  idleMs(): number {
    const isNeeded = this.#members.size > 0 || this.#joinsUnderWay > 0 || !this.isOpen;
    if (isNeeded || this.#saved.seq < this.#feed.tail.head.seq) return 0;
    return this.#services.clock.monotonic() - this.#idleSince;
  }

  // ————— coming, reading, going

  /**
   * Brings a connection in (DL1). `respond` is called once; when its page says `more: false`, the connection entered the room
   * in the same turn, so that its first batch continues the page exactly.
   */
  async join(
    joiner: Joiner,
    request: Requests['session:join'],
    role: Role,
    respond: (reply: Replies['session:join']) => void,
  ): Promise<void> {
    this.#demandOpen();
    const { connectionId, userId, isAlive } = joiner;
    this.#joinsUnderWay += 1;
    try {
      const client = await this.admitClient(userId, request.client);
      // Whoever comes from another instance may have heard more than has come here yet.
      if (request.have) await this.#feed.reach(request.have.head.seq);
      const way = await this.#history.wayIn(this.#feed.tail, request);
      if (way.resume !== 'continue') this.#demandNoneVoid(request.have);
      const participant: Participant = { connectionId, clientId: client.clientId, userId, role };
      const participants = await this.#services.participants.join(this.sessionId, participant);
      await this.#page(way.after, PAGE_ENTRIES, (page) => {
        if (!isAlive()) return;
        const { after: _, ...resume } = way;
        this.#members.add(participant);
        this.#audience.seat(connectionId, page);
        respond({
          session: this.#info,
          client,
          role,
          head: this.position,
          saved: { epoch: this.#feed.tail.epoch, ...this.#saved },
          ...resume,
          entries: page.entries.map(toWireEntry),
          next: page.next,
          more: page.more,
          participants: [...participants],
          awareness: this.#awareness.states(),
        });
      });
    } finally {
      this.#joinsUnderWay -= 1;
      this.#idleSince = this.#services.clock.monotonic();
      if (!this.#members.has(connectionId)) await this.#services.participants.leave(this.sessionId, connectionId);
    }
  }

  /**
   * Nobody is told that what they have is void under the epoch it was ordered in: somebody who holds it may save it yet (ST4).
   * In one process an epoch ends with everything that could.
   */
  #demandNoneVoid(have: Requests['session:join']['have']): void {
    if (!have || have.epoch < this.#feed.tail.epoch || this.#services.ordering.scope === 'process') return;
    this.#feed.breakOff('a client has what the hot log of its epoch lacks');
    throw notDelivered();
  }

  async catchUp(
    connectionId: string,
    { after, limit }: Requests['operation:catch-up'],
    respond: (reply: Replies['operation:catch-up']) => void,
  ): Promise<void> {
    this.#demandOpen();
    this.#members.get(connectionId);
    await this.#page(after, limit ?? PAGE_ENTRIES, (page) => {
      this.#members.get(connectionId);
      this.#audience.seat(connectionId, page);
      respond({ entries: page.entries.map(toWireEntry), head: this.position, next: page.next, more: page.more });
    });
  }

  leave(connectionId: string): void {
    this.#members.remove(connectionId);
  }

  /** A participant of another instance whose lease ended. */
  lost(participant: Participant): void {
    this.#members.lost(participant);
  }

  /** Issues a client id, or admits the one that proves itself, and answers how far its operations came (EO11). */
  async admitClient(
    userId: string,
    credentials: ClientCredentials | undefined,
  ): Promise<ClientCredentials & { lastClientSeq: number }> {
    this.#demandOpen();
    const { identity, clock } = this.#services;
    this.#idleSince = clock.monotonic();
    if (credentials && !identity.verify(this.sessionId, userId, credentials)) {
      throw new FlowError('FORBIDDEN', 'The client id was not issued for this session and user.');
    }
    const client = credentials ?? identity.issue(this.sessionId, userId);
    return { ...client, lastClientSeq: await this.#admit(client.clientId, credentials === undefined) };
  }

  entriesAfter(mark: Mark): AsyncIterable<readonly Entry[]> {
    return this.#history.entriesAfter(() => this.#feed.tail, mark);
  }

  updateAwareness(connectionId: string, request: Requests['awareness:update']): void {
    this.#members.get(connectionId);
    encodeJsonValue(request.state ?? null, 'The awareness state');
    this.#awareness.update(connectionId, request);
  }

  renamed(title: string): void {
    this.#info = { ...this.#info, title };
    this.#services.sockets.toSession(this.sessionId, 'session:renamed', { sessionId: this.sessionId, title });
  }

  // ————— writing

  /** Gives a batch its place; resolves when the own gate has passed it (DL3). */
  async submit(connectionId: string, request: Requests['operation:submit']): Promise<Replies['operation:submit']> {
    return this.submitAs(this.#members.get(connectionId), request);
  }

  async submitAs(
    { clientId, userId, role }: Speaker,
    { clientSeq, operations, base }: Requests['operation:submit'],
  ): Promise<Replies['operation:submit']> {
    this.#demandOpen();
    demandWriter(role);
    const { clock, telemetry, limits, saver, ordering } = this.#services;
    const startedAt = clock.monotonic();
    this.#idleSince = startedAt;
    const text = encodeOperations(this.#info.format, operations, limits);
    if (saver.unsavedBytes + text.length > limits.maxUnsavedBytes) {
      throw new FlowError('STORE_UNAVAILABLE', 'Too much is waiting for the store.', { retryAfterMs: RETRY_AFTER_MS });
    }
    const knownSeq = this.#feed.tail.head.seq;
    const submission = {
      epoch: this.#feed.tail.epoch,
      clientId,
      userId,
      firstClientSeq: clientSeq,
      count: operations.length,
      operations: text,
      ...(base ? { base } : {}),
    };
    let result = await ordering.append(this.sessionId, submission);
    if (result.status === 'client-unknown') {
      // The hot log is younger than this client's join; its row is in the store (EO11).
      await this.#admit(clientId, false);
      result = await ordering.append(this.sessionId, submission);
    }
    if (result.status === 'accepted') telemetry.orderMs.record(clock.monotonic() - startedAt);
    return this.#answer(result, submission, knownSeq);
  }

  /** `knownSeq`: where the tail was when the hot log was asked. */
  async #answer(
    result: AppendResult,
    { epoch, clientId }: Pick<Submission, 'epoch' | 'clientId'>,
    knownSeq: number,
  ): Promise<Replies['operation:submit']> {
    const { operations } = this.#services.telemetry;
    switch (result.status) {
      case 'accepted': {
        const { entry } = result;
        operations.ordered += entry.count;
        this.#feed.offer(entry);
        await this.#feed.reach(entry.seq);
        if (this.#feed.tail.tagAt(entry.seq) !== entry.tag) throw notDelivered();
        return { epoch: entry.epoch, seq: entry.seq };
      }
      case 'duplicate':
        operations.duplicates += 1;
        await this.#feed.reach(result.seq);
        if (this.#feed.tail.epoch !== result.epoch || this.#feed.tail.head.seq < result.seq) throw notDelivered();
        return { epoch: result.epoch, seq: result.seq, duplicate: true };
      case 'gap':
        this.#demandClientKept(epoch, clientId, result.expectedClientSeq - 1, knownSeq);
        throw new FlowError('CLIENT_SEQ_GAP', undefined, { expected: result.expectedClientSeq });
      case 'conflict':
        throw new FlowError('CLIENT_SEQ_CONFLICT');
      case 'stale-base':
        throw new FlowError('STALE_BASE', undefined, { head: result.head });
      case 'client-unknown':
        throw new FlowError('CLIENT_UNKNOWN');
      case 'wrong-epoch':
        throw this.#wrongEpoch(epoch);
    }
  }

  /** DL3: a hot log that knows less of a client than we had delivered when we asked has lost something. */
  #demandClientKept(askedEpoch: number, clientId: string, lastClientSeq: number, knownSeq: number): void {
    if (askedEpoch !== this.#feed.tail.epoch) return;
    const own = this.#feed.tail.newestOf(clientId, knownSeq);
    if (!own || own.clientSeq <= lastClientSeq) return;
    this.#feed.breakOff('the hot log lacks operations of a client');
    throw notDelivered();
  }

  /** EO7. The session may have been opened again since the hot log was asked. */
  #wrongEpoch(askedEpoch: number): FlowError {
    if (askedEpoch === this.#feed.tail.epoch) this.#feed.breakOff('the hot log has another epoch');
    return notDelivered();
  }

  /** Keeps a client's snapshot of a format the server does not understand (ST9). */
  async putSnapshot(connectionId: string, { seq, tag, payload }: Requests['session:snapshot']): Promise<void> {
    demandWriter(this.#members.get(connectionId).role);
    if (this.#info.format === 'yjs')
      throw new FlowError('BAD_REQUEST', 'The server makes the snapshots of Yjs sessions itself.');
    const text = encodeJsonValue(payload, 'The snapshot');
    const isKept = await this.#services.snapshots.put(this.sessionId, { at: { seq, tag }, payload: Buffer.from(text) });
    if (!isKept) throw new FlowError('BAD_REQUEST', 'The snapshot names no saved position after the latest snapshot.');
  }

  // ————— what the feed, the audit and the store say

  audit(hot: HotLog | null, known: Known): void {
    this.#feed.audit(hot, known);
  }

  onEntry(entry: Entry): void {
    this.#audience.deliver(entry);
    this.saving.add(entry);
  }

  onSaved(saved: Mark): void {
    if (saved.seq <= this.#saved.seq) return;
    const own = this.#feed.tail.tagAt(saved.seq);
    // Beyond the tail it waits: the next hint or audit says it again (SV3).
    if (own === null) return;
    if (own !== undefined && own !== saved.tag) return this.#feed.breakOff('what is saved is not what was delivered');
    this.#saved = { seq: saved.seq, tag: saved.tag };
    this.#audience.saved(this.#saved);
    this.#services.onSaved?.({ sessionId: this.sessionId, epoch: this.#feed.tail.epoch, ...this.#saved });
  }

  // ————— opening again

  onRefused(status: 'fenced' | 'diverged'): void {
    if (this.#services.ordering.scope === 'shared' && this.#state.kind !== 'draining') {
      return this.#feed.breakOff(`the store answered ${status}`);
    }
    // Without a shared order there is nothing to agree on, and who is stopping takes nothing back (ST5).
    this.close('moved').catch((cause: unknown) => this.#log.error({ err: cause }, 'closing failed'));
  }

  onDiscontinuity(reason: string): boolean {
    // Who is stopping only saves what it has; the history is for those who stay.
    if (this.#state.kind !== 'open') return false;
    this.#state = { kind: 'reopening', resumeAs: 'open' };
    this.#log.warn({ reason, position: this.position }, 'discontinuity; opening the session again');
    this.#reopen()
      .catch((cause: unknown) => {
        this.#log.error({ err: cause }, 'the session could not be opened again');
        return this.close('moved');
      })
      .catch((cause: unknown) => this.#log.error({ err: cause }, 'closing failed'));
    return true;
  }

  /** ST4 for a session that is open, then DL4: its clients go on, or fork. */
  async #reopen(): Promise<void> {
    for (let attempt = 1; this.#state.kind === 'reopening'; attempt += 1) {
      try {
        const opened = await openSession(this.#services, this.sessionId, {
          rescue: () => this.saving.rescue(),
          lostIn: this.#feed.tail.epoch,
        });
        const isContinued = await this.#history.isOnChainOf(opened.head, this.#feed.tail.head);
        if (this.#state.kind !== 'reopening') return;
        this.saving.stop();
        if (isContinued) this.#continueUnder(opened);
        else this.#forkTo(opened);
        // Before anything is accepted again, or nobody would save it.
        await this.saving.takeUp();
        if (this.#state.kind !== 'reopening') return;
        this.#state = { kind: this.#state.resumeAs };
        this.#feed.resume();
        return await this.#feed.repair();
      } catch (cause) {
        if (cause instanceof FlowError && cause.code === 'SESSION_NOT_FOUND') throw cause;
        this.#log.warn({ err: cause, attempt }, 'opening again failed; trying once more');
        await pause(this.#services.clock, backoffDelay(attempt, REOPEN_BACKOFF));
      }
    }
  }

  #continueUnder({ epoch, saved }: Opened): void {
    this.#feed.continueUnder(epoch);
    this.#audience.underEpoch(epoch);
    this.onSaved(saved);
  }

  #forkTo(opened: Opened): void {
    const { sockets, telemetry } = this.#services;
    const { epoch, head, saved } = opened;
    telemetry.operations.forks += 1;
    this.#audience.restartAt(opened);
    this.#feed.restartAt(opened);
    this.#saved = saved;
    for (const connectionId of this.#members.connectionIds()) {
      sockets.toConnectionHere(connectionId, 'session:forked', { sessionId: this.sessionId, epoch, head });
    }
    this.#members.clear();
  }

  // ————— beginning and end

  async #begin(): Promise<void> {
    const { ordering } = this.#services;
    await this.#feed.start();
    if (this.#info.format === 'yjs') await this.saving.keepSnapshots(this.#saved);
    await this.saving.takeUp();
    // What was ordered between opening and subscribing came to nobody's ears.
    if (ordering.scope === 'shared') await this.#feed.repair();
  }

  /** From now on nobody joins and nothing is accepted. */
  drain(): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'draining' };
    else if (this.#state.kind === 'reopening') this.#state = { kind: 'reopening', resumeAs: 'draining' };
  }

  /** Tells the clients now what they would hear in a moment: the last entries, and how far all is saved. */
  announce(): void {
    this.#audience.announce();
  }

  /** Lets go of everything. What is not saved by then stays with its clients. */
  async close(reason: ClosedReason): Promise<void> {
    if (this.#state.kind === 'closed') return this.ended;
    this.#state = { kind: 'closed', reason };
    const { sockets, ordering } = this.#services;
    this.announce();
    this.#audience.stop();
    if (reason === 'closed' || reason === 'moved') {
      for (const connectionId of this.#members.connectionIds()) {
        sockets.toConnectionHere(connectionId, 'session:closed', { sessionId: this.sessionId, reason });
      }
    }
    this.#members.clear();
    this.#members.stop();
    this.#awareness.stop();
    this.#onClosed(reason);
    try {
      await Promise.all([this.#feed.stop(), this.saving.close()]);
      await ordering.release(this.sessionId);
    } finally {
      this.#resolveEnded();
    }
  }

  // ————— details

  #demandOpen(): void {
    switch (this.#state.kind) {
      case 'open':
        return;
      case 'draining':
        throw new FlowError('DRAINING', undefined, { retryAfterMs: RETRY_AFTER_MS });
      case 'reopening':
        throw notDelivered();
      case 'closed':
        if (this.#state.reason === 'closed') throw new FlowError('SESSION_NOT_FOUND');
        throw new FlowError('NOT_JOINED', 'The session was closed here; join again.');
    }
  }

  async #page(after: Mark, maxEntries: number, hand: (page: Page) => void): Promise<void> {
    const here = { tailNow: () => this.#feed.tail, demandOpen: () => this.#demandOpen() };
    await this.#audience.page(here, after, maxEntries, (page) => {
      // The log has been read beyond the tail: it lags behind.
      if (page.next.seq > this.position.seq) void this.#feed.repair();
      hand(page);
    });
  }

  async #admit(clientId: string, isNew: boolean): Promise<number> {
    const { ordering, operationLog } = this.#services;
    // Named before the row is read: under a newer epoch the history may have more of this client than the row says.
    const { epoch } = this.#feed.tail;
    const row = isNew ? null : await operationLog.clientRow(this.sessionId, clientId);
    if (row && ordering.scope === 'shared') await this.#demandOnChain(row);
    const knownSeq = this.#feed.tail.head.seq;
    const admitted = await ordering.admit(this.sessionId, epoch, clientId, row);
    if (admitted === 'wrong-epoch') throw this.#wrongEpoch(epoch);
    this.#demandClientKept(epoch, clientId, admitted.lastClientSeq, knownSeq);
    return admitted.lastClientSeq;
  }

  /**
   * A row of the store that is not in our history tells of operations our clients have not seen: the store was ahead of the hot log,
   * or beside it, and numbers taken from there would leave out or repeat what they stand for (ST4).
   */
  async #demandOnChain(row: ClientRow): Promise<void> {
    if (row.seq <= this.#saved.seq) return;
    if (row.seq > this.#feed.tail.head.seq) {
      this.#feed.expect(row.seq);
      await this.#feed.repair();
    }
    if (await this.#history.isOnChain(this.#feed.tail, row)) return;
    this.#feed.breakOff('the store has operations of a client that the history lacks');
    throw notDelivered();
  }
}

function demandWriter(role: Role): void {
  if (role !== 'owner' && role !== 'editor') throw new FlowError('FORBIDDEN', `A ${role} may not change the document.`);
}

const notDelivered = (): FlowError => new FlowError('NOT_DELIVERED', undefined, { retryAfterMs: RETRY_AFTER_MS });
