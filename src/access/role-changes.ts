import type { Clock } from '../lib/clock';
import type { AccessFollower } from './access-follower';

/** Longer than any row is cached and any caller is on the way in. */
const REMEMBERED_MS = 3_600_000;

interface OfSession {
  /** Number of the last change of what the link gives; 0: none is remembered. */
  link: number;
  /** userId → number of the last change of their role. */
  readonly users: Map<string, number>;
  /** Monotonic. */
  heardAt: number;
}

interface RoleChangesOptions {
  readonly follower: Pick<AccessFollower, 'follow' | 'number'>;
  readonly clock: Clock;
}

/** When whose role was changed last, by the numbers of the changes. To ask costs nothing. */
export class RoleChanges {
  readonly #follower: Pick<AccessFollower, 'number'>;
  readonly #clock: Clock;
  readonly #listeners = new Set<(sessionId: string, userId: string | null) => void>();
  /** Those heard of first, first. */
  readonly #sessions = new Map<string, OfSession>();

  constructor({ follower, clock }: RoleChangesOptions) {
    this.#follower = follower;
    this.#clock = clock;
    follower.follow(({ number, change }) => {
      if (change.kind === 'role') this.hear(number, change.sessionId, change.userId);
    });
  }

  /** Calls `listener` with whose role in which session may be another one (null: everybody's), when `lastOf` knows it. */
  onChanged(listener: (sessionId: string, userId: string | null) => void): void {
    this.#listeners.add(listener);
  }

  /** Number of the last change that concerns a user; 0: none within the last hour. */
  lastOf(sessionId: string, userId: string): number {
    const ofSession = this.#sessions.get(sessionId);
    return ofSession ? Math.max(ofSession.link, ofSession.users.get(userId) ?? 0) : 0;
  }

  /** What the store answers from now on is as of this change, or later. */
  asOf(sessionId: string, userId: string): number {
    return Math.max(this.#follower.number, this.lastOf(sessionId, userId));
  }

  /** A change was made. Whoever made it says so at once; the others hear of it. Twice is once. */
  hear(number: number, sessionId: string, userId: string | null): void {
    const ofSession = this.#sessions.get(sessionId) ?? { link: 0, users: new Map<string, number>(), heardAt: 0 };
    const known = userId === null ? ofSession.link : (ofSession.users.get(userId) ?? 0);
    if (known >= number) return;
    if (userId === null) ofSession.link = number;
    else ofSession.users.set(userId, number);
    ofSession.heardAt = this.#clock.monotonic();
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, ofSession);
    this.#forget();
    for (const listener of this.#listeners) listener(sessionId, userId);
  }

  #forget(): void {
    const before = this.#clock.monotonic() - REMEMBERED_MS;
    for (const [sessionId, { heardAt }] of this.#sessions) {
      if (heardAt >= before) return;
      this.#sessions.delete(sessionId);
    }
  }
}
