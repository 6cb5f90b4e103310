import type { RoleChanges } from '../access/role-changes';
import { isDoneWithin } from '../lib/clock';
import { Outage } from '../lib/outage';
import { FlowError } from '../protocol/errors';
import type { SessionInfo } from '../protocol/schemas';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { LiveServices } from './live-services';
import { messageText } from './neighbour-messages';
import { OpenSession, type OpenSessionListener } from './open-session';
import type { ClosedReason } from './session-state';

/** Sessions audited in one turn of the event loop. */
const AUDIT_CHUNK = 500;
/** Share of a save lease after which it is renewed, and after which this instance looks for unsaved sessions that nobody saves (SV2). */
const RENEWAL_SHARE = 0.4;
const MOVED_RETRY_MS = 1_000;
/** Longest that whoever ends a session waits for it. */
const END_WAIT_MS = 2_000;

interface OpenSessionsOptions {
  readonly services: LiveServices;
  readonly collaboration: CollaborationService;
  readonly roleChanges: Pick<RoleChanges, 'onChanged'>;
  readonly auditIntervalMs: number;
  /** A session without a connection is closed after this time (DL8). */
  readonly idleMs: number;
  readonly participantLeaseMs: number;
  readonly saveLeaseMs: number;
  /** How often the sessions that are open here are said to be in use. */
  readonly touchIntervalMs: number;
  readonly onSessionOpened?: ((session: SessionInfo) => void) | undefined;
}

/** What could not be saved when the server stopped. */
export interface StopReport {
  readonly unsavedSessions: readonly string[];
}

const NONE: ReadonlySet<string> = new Set();

/** The sessions that are open in this process, and the rounds made over them: audit, idle close, leases. */
export class OpenSessions implements OpenSessionListener {
  readonly #options: OpenSessionsOptions;
  readonly #open = new Map<string, OpenSession>();
  readonly #opening = new Map<string, Promise<OpenSession>>();
  /** Sessions that are letting go; whoever wants one again waits for that. */
  readonly #closing = new Map<string, Promise<void>>();
  /** Sessions another process has taken; without a shared order there is no taking them back (ST5). */
  readonly #moved = new Set<string>();
  /** Sessions that somebody should save and that cannot be opened: told once. */
  readonly #stuck = new Set<string>();
  readonly #cancels = new Set<() => void>();
  #isDraining = false;
  #isStopped = false;

  constructor(options: OpenSessionsOptions) {
    this.#options = options;
    options.roleChanges.onChanged((sessionId, userId) => this.#open.get(sessionId)?.accessChanged(userId));
  }

  start(): void {
    const { auditIntervalMs, participantLeaseMs, saveLeaseMs, touchIntervalMs, collaboration } = this.#options;
    this.#every(auditIntervalMs, () => this.#audit());
    this.#every(auditIntervalMs, () => this.#closeIdle());
    this.#every(participantLeaseMs / 3, () => this.#renewLeases());
    this.#every(touchIntervalMs, () => collaboration.touch([...this.#open.keys()]));
    if (!this.#isShared) return;
    this.#every(RENEWAL_SHARE * saveLeaseMs, () => this.#takeUpSaving());
    // What another instance said of a record may have been lost.
    this.#every(participantLeaseMs / 3, () => this.#lookUpAll());
  }

  get size(): number {
    return this.#open.size;
  }

  get participantCount(): number {
    let count = 0;
    for (const session of this.#open.values()) count += session.connectionIds.length;
    return count;
  }

  get movedSessions(): ReadonlySet<string> {
    return this.#moved;
  }

  get(sessionId: string): OpenSession | undefined {
    return this.#open.get(sessionId);
  }

  /** The open session, opened if need be. Rejects with SESSION_NOT_FOUND. */
  async acquire(sessionId: string): Promise<OpenSession> {
    if (this.#isDraining) throw new FlowError('DRAINING', undefined, { retryAfterMs: MOVED_RETRY_MS });
    const open = this.#open.get(sessionId);
    if (open) return open;
    const opening = this.#opening.get(sessionId) ?? this.#begin(sessionId);
    return opening;
  }

  /** The record of a session has a new title; for all instances. */
  renamed(session: SessionInfo): void {
    const { sessionId } = session;
    this.#tellRecordChanged(sessionId);
    // One that is being opened right now may have been found before it was renamed.
    const opening = this.#opening.get(sessionId);
    if (!opening) return this.#open.get(sessionId)?.renamed(session);
    opening.then((opened) => opened.renamed(session)).catch(() => {});
  }

  /**
   * Ends a session for everyone, on all instances, once what was ordered is saved. Its record must be closed before. Resolves also while the store
   * does not take it: the end is certain then, and comes when it does.
   */
  async end(sessionId: string): Promise<void> {
    this.#tellRecordChanged(sessionId);
    await isDoneWithin(this.#options.services.clock, this.#end(sessionId), END_WAIT_MS);
  }

  onClosed(session: OpenSession, reason: ClosedReason): void {
    const { sessionId } = session;
    if (this.#open.get(sessionId) === session) this.#open.delete(sessionId);
    const ending = session.ended.finally(() => {
      if (this.#closing.get(sessionId) === ending) this.#closing.delete(sessionId);
    });
    this.#closing.set(sessionId, ending);
    if (reason === 'moved' && !this.#isShared) this.#moved.add(sessionId);
  }

  onRecordChanged(session: OpenSession): void {
    const { log } = this.#options.services;
    if (!this.#isShared || session.isClosed) return;
    this.#lookUp(session).catch((cause: unknown) =>
      log.warn({ err: cause, sessionId: session.sessionId }, 'a record could not be read; it will be read again'),
    );
  }

  get #isShared(): boolean {
    return this.#options.services.ordering.scope === 'shared';
  }

  #tellRecordChanged(sessionId: string): void {
    this.#options.services.bus.tell(sessionId, messageText({ kind: 'record' }));
  }

  /** The record is the truth about title and end of a session; other instances change it, too. */
  async #lookUp(session: OpenSession): Promise<void> {
    const info = await this.#options.collaboration.get(session.sessionId);
    if (info) session.renamed(info);
    else if (!session.isClosed) void this.#end(session.sessionId);
  }

  async #lookUpAll(): Promise<void> {
    const sessions = [...this.#open.values()];
    for (const [index, session] of sessions.entries()) {
      await this.#lookUp(session);
      if (index % AUDIT_CHUNK === AUDIT_CHUNK - 1) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Never rejects. */
  #end(sessionId: string): Promise<void> {
    return this.#endHere(sessionId).catch((cause: unknown) =>
      this.#options.services.log.error({ err: cause, sessionId }, 'ending a session failed'),
    );
  }

  async #endHere(sessionId: string): Promise<void> {
    // One that is being opened right now may have been found before the record was closed.
    await this.#opening.get(sessionId)?.catch(() => {});
    const session = this.#open.get(sessionId);
    if (!session) return;
    session.drain();
    await session.saving.settled();
    await session.close('closed');
  }

  /** Nobody joins and nothing is accepted any more; resolves when all is saved or `deadlineMs` is over. */
  async drain(deadlineMs: number): Promise<StopReport> {
    const { saver, clock } = this.#options.services;
    this.#isDraining = true;
    for (const session of this.#open.values()) session.drain();
    await isDoneWithin(clock, saver.settled(), deadlineMs);
    for (const session of this.#open.values()) session.announce();
    return { unsavedSessions: saver.status().unsavedSessions };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    await Promise.allSettled(this.#opening.values());
    await Promise.allSettled([...this.#open.values()].map((session) => session.close('stopped')));
    await Promise.allSettled(this.#closing.values());
    this.#options.services.saver.stop();
    this.#options.services.snapshotter.stop();
  }

  #begin(sessionId: string): Promise<OpenSession> {
    const opening = this.#openOne(sessionId).finally(() => this.#opening.delete(sessionId));
    this.#opening.set(sessionId, opening);
    return opening;
  }

  async #openOne(sessionId: string): Promise<OpenSession> {
    const { services, collaboration, onSessionOpened } = this.#options;
    await this.#closing.get(sessionId);
    if (this.#moved.has(sessionId)) {
      throw new FlowError('BACKEND_UNAVAILABLE', 'Another process has taken this document over; connect to that one.', {
        retryAfterMs: MOVED_RETRY_MS,
      });
    }
    const info = await collaboration.get(sessionId);
    if (!info) throw new FlowError('SESSION_NOT_FOUND');
    const session = await OpenSession.open(services, info, this);
    if (!session.isClosed) this.#open.set(sessionId, session);
    if (this.#isDraining) session.drain();
    onSessionOpened?.(info);
    return session;
  }

  /** DL3, in chunks, so that ten thousand open sessions do not hold up one keystroke. */
  async #audit(): Promise<void> {
    const { ordering } = this.#options.services;
    const sessions = [...this.#open.values()];
    for (let from = 0; from < sessions.length; from += AUDIT_CHUNK) {
      const chunk = sessions.slice(from, from + AUDIT_CHUNK);
      const known = chunk.map((session) => session.known);
      const logs = await ordering.describe(chunk.map(({ sessionId }) => sessionId));
      chunk.forEach((session, index) => {
        const before = known[index];
        if (before) session.audit(logs[index] ?? null, before);
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #closeIdle(): Promise<void> {
    const { idleMs } = this.#options;
    for (const session of this.#open.values()) {
      if (session.idleMs() < idleMs) continue;
      await session.saving.foldLast();
      // Somebody may have come while the snapshot was made.
      if (session.idleMs() >= idleMs) await session.close('idle');
    }
  }

  async #renewLeases(): Promise<void> {
    const { participants } = this.#options.services;
    const connectionIds = new Set<string>();
    for (const session of this.#open.values())
      for (const connectionId of session.connectionIds) connectionIds.add(connectionId);
    let shared = NONE;
    try {
      shared = await participants.renew([...connectionIds]);
    } finally {
      for (const session of this.#open.values()) session.round(shared.has(session.sessionId));
    }
  }

  async #takeUpSaving(): Promise<void> {
    const { saveDuty } = this.#options.services;
    const orphans = await saveDuty.orphans();
    for (const sessionId of orphans) await this.#takeUp(sessionId);
    for (const sessionId of this.#stuck) if (!orphans.includes(sessionId)) this.#stuck.delete(sessionId);
    const held = await saveDuty.claim([...this.#open.keys()]);
    for (const session of this.#open.values()) {
      if (!held.has(session.sessionId)) session.saving.stop();
      else if (session.isOpen && !session.saving.isActive) await session.saving.start();
    }
  }

  /** One that cannot be opened must not keep the others from being saved; it is tried again with every round. */
  async #takeUp(sessionId: string): Promise<void> {
    try {
      await this.acquire(sessionId);
    } catch (cause) {
      await this.#keepUnknown(sessionId);
      if (this.#isDraining || this.#stuck.has(sessionId)) return;
      this.#stuck.add(sessionId);
      this.#options.services.log.error({ err: cause, sessionId }, 'a session with unsaved operations cannot be opened');
    }
  }

  /** A store that does not even know a session is older than it. */
  async #keepUnknown(sessionId: string): Promise<void> {
    const { operationLog, ordering, olderStores } = this.#options.services;
    if (!olderStores || (await operationLog.head(sessionId))) return;
    const [hot] = await ordering.describe([sessionId]);
    if (hot && hot.head.seq > 0) await olderStores.refuse(sessionId, null, hot);
  }

  /** Runs a round, waits, and runs it again; a failing round is never the last, and said once until one works. */
  #every(intervalMs: number, round: () => Promise<void>): void {
    const { clock, log } = this.#options.services;
    const outage = new Outage(log, {
      began: 'a round over the open sessions failed; trying again',
      ended: 'rounds over the open sessions work again',
    });
    const arm = (): void => {
      const cancel = clock.after(intervalMs, () => {
        this.#cancels.delete(cancel);
        round()
          .then(
            () => outage.worked(),
            (cause: unknown) => outage.failed(cause),
          )
          .finally(() => {
            if (!this.#isStopped) arm();
          });
      });
      this.#cancels.add(cancel);
    };
    arm();
  }
}
