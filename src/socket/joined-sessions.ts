import type { OpenSession } from '../live/open-session';
import { rateLimited } from '../limits/rate-limited';

/** How long a connection waits that is in too many sessions: until it leaves one. */
const FULL_RETRY_MS = 5_000;
/** So few ids are no matter. */
const FIRST_SWEEP_AT = 64;

/** What one connection has joined. It holds no session: one that is closed lets go of its memory (DL8). */
export class JoinedSessions {
  readonly #openSession: (sessionId: string) => OpenSession | undefined;
  /** 0: as many as it likes. */
  readonly #most: number;
  readonly #ids = new Set<string>();
  #sweepAt = FIRST_SWEEP_AT;

  constructor(openSession: (sessionId: string) => OpenSession | undefined, most: number) {
    this.#openSession = openSession;
    this.#most = most;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Throws RATE_LIMITED (LM8). */
  demandRoomFor(sessionId: string): void {
    if (this.#most === 0 || this.#ids.size < this.#most || this.#ids.has(sessionId)) return;
    this.#sweep();
    if (this.#ids.size >= this.#most) throw rateLimited(`A connection may be in ${this.#most} sessions`, FULL_RETRY_MS);
  }

  add(sessionId: string): void {
    this.#ids.add(sessionId);
    if (this.#ids.size >= this.#sweepAt) this.#sweep();
  }

  /** As it is open now; it may have been closed and opened again since it was joined, and then it knows who is in. */
  get(sessionId: string): OpenSession | undefined {
    return this.#ids.has(sessionId) ? this.#openSession(sessionId) : undefined;
  }

  /** Who the connection is may do something else now. */
  reviewAccess(connectionId: string): void {
    for (const sessionId of this.#ids) this.get(sessionId)?.reviewAccess(connectionId);
  }

  /** False: it was not joined. */
  leave(sessionId: string, connectionId: string): boolean {
    this.get(sessionId)?.leave(connectionId);
    return this.#ids.delete(sessionId);
  }

  leaveAll(connectionId: string): void {
    for (const sessionId of this.#ids) this.leave(sessionId, connectionId);
  }

  /** Ids of sessions that were closed: at most as many as of those that are open. */
  #sweep(): void {
    for (const sessionId of this.#ids) if (!this.#openSession(sessionId)) this.#ids.delete(sessionId);
    this.#sweepAt = Math.max(FIRST_SWEEP_AT, this.#ids.size * 2);
  }
}
