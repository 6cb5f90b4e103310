import type { User } from '../access/access';
import type { Verdict } from '../access/authorisation';
import { REQUEST_ACTIONS } from '../access/permissions';
import { backoffDelay } from '../lib/backoff';
import { pause } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { HotLog } from '../ordering/event-ordering';
import type { Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import { GENESIS, type Mark, type Position } from '../protocol/positions';
import type { ClientCredentials, Replies, Requests, SessionInfo } from '../protocol/schemas';
import { Admission } from './admission';
import { Audience } from './audience';
import { Company } from './company';
import { DocumentSize } from './document-size';
import { Feed, type FeedListener, type Known } from './feed';
import { History } from './history';
import { Joining, type Joiner } from './joining';
import type { LiveServices } from './live-services';
import { openSession, type Opened } from './opening';
import { encodeJsonValue } from './operations';
import { Placement } from './placement';
import { SavedPosition } from './saved-position';
import { SessionSaving } from './session-saving';
import { Standings } from './standings';
import { Trials } from './trials';
import { demandOpen, drained, type ClosedReason, type SessionState } from './session-state';

/** What becomes of an open session concerns whoever keeps the open sessions. */
export interface OpenSessionListener {
  onClosed(session: OpenSession, reason: ClosedReason): void;
  /** Another instance says that the record of the session is another one, or closed; or it may have said so unheard. */
  onRecordChanged(session: OpenSession): void;
}

/** Who writes without having joined. */
interface Caller {
  readonly clientId: string;
  readonly user: User;
  /** What was found when they were let in. */
  readonly verdict: Verdict;
}

const REOPEN_BACKOFF = { firstMs: 50, ceilingMs: 10_000 };

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
  readonly #admission: Admission;
  readonly #placement: Placement;
  readonly #audience: Audience;
  readonly #company: Company;
  readonly #standings: Standings;
  readonly #joining: Joining;
  readonly #saved: SavedPosition;
  readonly #size: DocumentSize;
  readonly #listener: OpenSessionListener;
  #info: SessionInfo;
  #state: SessionState = { kind: 'open' };
  /** Monotonic time since when nobody is here. */
  #idleSince: number;
  #resolveEnded: () => void = () => {};

  static async open(services: LiveServices, info: SessionInfo, listener: OpenSessionListener): Promise<OpenSession> {
    const opened = await openSession(services, info.sessionId);
    const session = new OpenSession(services, info, opened, listener);
    try {
      await session.#begin();
    } catch (fault) {
      await session.close('stopped');
      throw fault;
    }
    return session;
  }

  private constructor(services: LiveServices, info: SessionInfo, start: Opened, listener: OpenSessionListener) {
    const { sessionId } = info;
    const { clock } = services;
    this.sessionId = sessionId;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#services = services;
    this.#info = info;
    this.#listener = listener;
    this.#log = services.log.child({ sessionId });
    this.#history = new History(sessionId, info.format, services);
    this.#feed = new Feed(sessionId, services, this.#log, start, this);
    this.#saved = new SavedPosition(start.saved);
    this.#size = new DocumentSize({
      maxBytes: services.limits.maxDocumentBytes,
      measure: () => this.#measure(),
      clock,
      log: this.#log,
    });
    this.#admission = new Admission(sessionId, services, this.#feed, this.#history, this.#saved);
    const demandAccepting = (): void => demandOpen(this.#state);
    const trials = new Trials((operations) => this.#tryOut(operations));
    const demandTaking = (): void => {
      demandAccepting();
      this.#size.demandRoom();
    };
    this.#placement = new Placement(info, services, this.#feed, this.#admission, trials, demandTaking);
    this.saving = new SessionSaving(sessionId, services, this.#feed, this.#log, this);
    this.#audience = new Audience(sessionId, services, this.#history, start);
    this.#idleSince = clock.monotonic();
    this.#standings = new Standings({
      ...services,
      session: () => this.#info,
      company: () => this.#company,
      log: this.#log,
    });
    this.#company = new Company(sessionId, services, {
      onGone: (connectionId) => this.#gone(connectionId),
      onStandingEnded: (standing) => this.#standings.end(standing),
      onRecordChanged: () => this.#listener.onRecordChanged(this),
    });
    this.#joining = new Joining(sessionId, services, {
      feed: this.#feed,
      history: this.#history,
      admission: this.#admission,
      saved: this.#saved,
      audience: this.#audience,
      company: this.#company,
      info: () => this.#info,
      demandOpen: demandAccepting,
    });
  }

  get position(): Position {
    return this.#feed.position;
  }

  get saved(): Mark {
    return this.#saved.mark;
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
    return this.#company.members.connectionIds();
  }

  /** Milliseconds without a connection and with everything saved; 0 while it is needed. */
  idleMs(): number {
    const isNeeded = !this.#company.isEmpty || !this.isOpen;
    if (isNeeded || this.#saved.mark.seq < this.#feed.tail.head.seq) return 0;
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
    verdict: Verdict,
    respond: (reply: Replies['session:join']) => void,
  ): Promise<void> {
    demandOpen(this.#state);
    try {
      await this.#standings.whileJoining(joiner, verdict, (standing) =>
        this.#company.whileComing(() => this.#joining.join(joiner, request, standing, respond)),
      );
    } finally {
      this.#idleSince = this.#services.clock.monotonic();
    }
  }

  /**
   * A page of history. Whoever is not in the room yet enters it with the page that says `more: false`, and hears then who is
   * there, as with a join.
   */
  async catchUp(
    connectionId: string,
    request: Requests['operation:catch-up'],
    respond: (reply: Replies['operation:catch-up']) => void,
  ): Promise<void> {
    demandOpen(this.#state);
    await this.#joining.catchUp(connectionId, request, respond);
  }

  /** Somebody's role was changed (AC3); null: everybody's may be another one. */
  accessChanged(userId: string | null): void {
    this.#standings.review(userId);
  }

  /** Who is behind a connection may have become an administrator, or be none any more. */
  reviewAccess(connectionId: string): void {
    this.#company.members.standingOf(connectionId).review();
  }

  leave(connectionId: string): void {
    this.#company.members.remove(connectionId);
  }

  /** Every third of a lease. `isShared`: there are participants of other instances. */
  round(isShared: boolean): void {
    this.#company.round(isShared);
  }

  /** Issues a client id, or admits the one that proves itself, and answers how far its operations came (EO11). */
  async admitClient(
    userId: string,
    credentials: ClientCredentials | undefined,
  ): Promise<ClientCredentials & { lastClientSeq: number }> {
    demandOpen(this.#state);
    this.#idleSince = this.#services.clock.monotonic();
    return this.#admission.admitClient(userId, credentials);
  }

  entriesAfter(mark: Mark): AsyncIterable<readonly Entry[]> {
    return this.#history.entriesAfter(() => this.#feed.tail, mark);
  }

  updateAwareness(connectionId: string, request: Requests['awareness:update']): void {
    this.#company.members.standingOf(connectionId).demandMay(REQUEST_ACTIONS['awareness:update']);
    encodeJsonValue(request.state ?? null, 'The awareness state');
    this.#company.point(connectionId, request);
  }

  /** What its record says now. */
  renamed(info: SessionInfo): void {
    const { sessionId, title } = info;
    const isNew = title !== this.#info.title;
    this.#info = info;
    if (!isNew) return;
    this.#services.sockets.toSessionHere(sessionId, 'session:renamed', { sessionId, title });
  }

  #gone(connectionId: string): void {
    this.#idleSince = this.#services.clock.monotonic();
    this.#services.participants
      .leave(this.sessionId, connectionId)
      .catch((cause: unknown) => this.#log.warn({ err: cause }, 'a participant stays until the lease ends'));
  }

  // ————— writing

  /** Gives a batch its place; resolves when the own gate has passed it (DL3). */
  submit(connectionId: string, request: Requests['operation:submit']): Promise<Replies['operation:submit']> {
    const { members } = this.#company;
    return this.#placement.place(() => {
      const { clientId, userId } = members.get(connectionId);
      return { clientId, userId, standing: members.standingOf(connectionId) };
    }, request);
  }

  /** The same for a caller without a connection. */
  submitAs(
    { clientId, user, verdict }: Caller,
    request: Requests['operation:submit'],
  ): Promise<Replies['operation:submit']> {
    const { userId } = user;
    return this.#standings.during(user, verdict, (standing) =>
      this.#placement.place(() => ({ clientId, userId, standing }), request),
    );
  }

  /** On the document as it is now; whatever is ordered meanwhile changes little of what it costs. */
  async #tryOut(operations: string): Promise<void> {
    const { snapshots, folder } = this.#services;
    const snapshot = await snapshots.latest(this.sessionId);
    const entries = this.entriesAfter(snapshot?.at ?? GENESIS);
    await folder.tryOut({ snapshot: snapshot?.payload ?? null, entries }, operations);
  }

  /** Bytes that a newcomer reads now. */
  async #measure(): Promise<number> {
    const snapshot = await this.#services.snapshots.latest(this.sessionId);
    let bytes = snapshot?.payload.byteLength ?? 0;
    for await (const page of this.entriesAfter(snapshot?.at ?? GENESIS))
      for (const { operations } of page) bytes += operations.length;
    return bytes;
  }

  /** Keeps a client's snapshot of a format the server does not understand (ST9). */
  async putSnapshot(connectionId: string, { seq, tag, payload }: Requests['session:snapshot']): Promise<void> {
    const standing = this.#company.members.standingOf(connectionId);
    await standing.sure();
    standing.demandMay(REQUEST_ACTIONS['session:snapshot']);
    if (this.#info.format === 'yjs')
      throw new FlowError('BAD_REQUEST', 'The server makes the snapshots of Yjs sessions itself.');
    const text = encodeJsonValue(payload, 'The snapshot');
    const snapshot = { at: { seq, tag }, payload: Buffer.from(text) };
    const isKept = await this.#services.snapshotter.keep(this.sessionId, snapshot);
    if (!isKept) throw new FlowError('BAD_REQUEST', 'The snapshot names no saved position after the latest snapshot.');
  }

  // ————— what the feed, the audit and the store say

  audit(hot: HotLog | null, known: Known): void {
    this.#feed.audit(hot, known);
  }

  onEntry(entry: Entry): void {
    this.#size.add(entry.operations.length);
    this.#audience.deliver(entry);
    this.saving.add(entry);
  }

  onSaved(saved: Mark): void {
    const heard = this.#saved.hear(saved, this.#feed.tail);
    if (heard === 'contradiction') return this.#feed.breakOff('what is saved is not what was delivered');
    if (heard === 'no news') return;
    const { mark } = this.#saved;
    this.saving.reached(mark);
    this.#audience.saved(mark);
    this.#services.onSaved?.({ sessionId: this.sessionId, epoch: this.#feed.tail.epoch, ...mark });
  }

  /** Resolves when the store has everything that is ordered here now. Only a deadline of the caller's ends it when it fails. */
  savedUpToNow(): Promise<void> {
    return this.#saved.reached(this.position.seq);
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
    this.#saved.restartAt(saved);
    this.saving.forget();
    for (const connectionId of this.#company.members.connectionIds()) {
      sockets.toConnectionHere(connectionId, 'session:forked', { sessionId: this.sessionId, epoch, head });
    }
    this.#company.members.clear();
  }

  // ————— beginning and end

  async #begin(): Promise<void> {
    const { ordering } = this.#services;
    await this.#feed.start();
    if (this.#info.format === 'yjs') await this.saving.keepSnapshots(this.#saved.mark);
    await this.saving.takeUp();
    // What was ordered between opening and subscribing came to nobody's ears.
    if (ordering.scope === 'shared') await this.#feed.repair();
  }

  /** From now on nobody joins and nothing is accepted. */
  drain(): void {
    this.#state = drained(this.#state);
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
      for (const connectionId of this.#company.members.connectionIds()) {
        sockets.toConnectionHere(connectionId, 'session:closed', { sessionId: this.sessionId, reason });
      }
    }
    this.#company.stop();
    this.#listener.onClosed(this, reason);
    try {
      await Promise.all([this.#feed.stop(), this.saving.close()]);
      await ordering.release(this.sessionId);
    } finally {
      this.#resolveEnded();
    }
  }
}
