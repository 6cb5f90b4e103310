import type { Clock } from '../lib/clock';
import { FlowError } from '../protocol/errors';
import type { AccessList, LinkAccess, Role, SessionInfo } from '../protocol/schemas';
import type { CollaborationService } from '../sessions/collaboration-service';
import type { AccessChanges } from '../storage/access-changes';
import { MAX_ROLES, type AccessSetting, type SessionRoles, type StoredAccess } from '../storage/session-roles';
import type { Authorize, User } from './access';
import type { AccessFollower } from './access-follower';
import { demandMay, strongerOf, type Action } from './permissions';
import type { CachedAccess, RoleCache } from './role-cache';
import type { RoleChanges } from './role-changes';

/** What somebody is in a session, and as of which change of access. */
export interface Verdict {
  /** Null: nobody who may know of it. */
  readonly role: Role | null;
  readonly number: number;
}

/** Somebody may do what they asked for. */
export interface Admission {
  readonly session: SessionInfo;
  readonly role: Role;
  readonly verdict: Verdict;
}

interface AuthorisationOptions {
  readonly collaboration: Pick<CollaborationService, 'get'>;
  readonly roles: SessionRoles;
  readonly accessChanges: Pick<AccessChanges, 'append'>;
  readonly cache: RoleCache;
  readonly changes: RoleChanges;
  readonly follower: Pick<AccessFollower, 'isFresh' | 'demandFresh' | 'appended'>;
  /** The application's own rule; undefined: the stored roles are the rule. */
  readonly authorize: Authorize | undefined;
  /** What the link of a session gives whose maker does not say it. */
  readonly defaultLink: LinkAccess;
  readonly clock: Clock;
}

/** The one place that says what somebody may do in a session, for connections, requests and everything else (AC). */
export class Authorisation {
  readonly #options: AuthorisationOptions;
  /** Of rows that are being read from the cache or the store, by session and user. */
  readonly #reading = new Map<string, { readonly asOf: number; readonly row: Promise<CachedAccess> }>();

  constructor(options: AuthorisationOptions) {
    this.#options = options;
  }

  get defaultLink(): LinkAccess {
    return this.#options.defaultLink;
  }

  /**
   * The session, if the user may do this there. Who has no role in it hears SESSION_NOT_FOUND, the same as if there were none; whose role does not
   * allow it, FORBIDDEN. Rejects with STORE_UNAVAILABLE when that cannot be known.
   */
  async admit(user: User, sessionId: string, action: Action): Promise<Admission> {
    const session = await this.#options.collaboration.get(sessionId);
    if (!session) throw new FlowError('SESSION_NOT_FOUND');
    const verdict = await this.judge(user, session);
    const { role } = verdict;
    demandMay(role, action);
    return { session, role, verdict };
  }

  /** What a user is in a session, as of now. Rejects with STORE_UNAVAILABLE. */
  async judge(user: User, session: SessionInfo): Promise<Verdict> {
    const { follower, changes, authorize } = this.#options;
    await follower.demandFresh();
    // Before anything is asked: what is answered is as of then, or later.
    const number = changes.asOf(session.sessionId, user.userId);
    const given = user.isAdministrator ? 'owner' : await this.#given(session.sessionId, user.userId);
    return { role: authorize ? await authorize(user, session, given) : given, number };
  }

  /** Whether something has changed since that may make another verdict. */
  isOutdated({ number }: Verdict, sessionId: string, userId: string): boolean {
    return this.#options.changes.lastOf(sessionId, userId) > number;
  }

  /** Whether all changes that were made more than a second ago are known here. If not, no role may be believed. */
  isFresh(): boolean {
    return this.#options.follower.isFresh();
  }

  /** Rejects with STORE_UNAVAILABLE. */
  demandFresh(): Promise<void> {
    return this.#options.follower.demandFresh();
  }

  /** Rejects with SESSION_NOT_FOUND or STORE_UNAVAILABLE. */
  async list(sessionId: string): Promise<AccessList> {
    const list = await this.#options.roles.list(sessionId);
    if (!list) throw new FlowError('SESSION_NOT_FOUND');
    return list;
  }

  /**
   * Sets a role or what the link gives. When it resolves, it is on disk and holds on this instance; on the others within a
   * second (AC3). Rejects with SESSION_NOT_FOUND, FORBIDDEN, TOO_LARGE or STORE_UNAVAILABLE.
   */
  async set(setting: AccessSetting): Promise<void> {
    const { roles, changes, follower, clock } = this.#options;
    const result = await roles.set(setting, clock.now());
    switch (result.status) {
      case 'set':
        if (result.number === null) return;
        changes.hear(result.number, setting.sessionId, 'userId' in setting ? setting.userId : null);
        return follower.appended();
      case 'not-found':
        throw new FlowError('SESSION_NOT_FOUND');
      case 'last-owner':
        throw new FlowError('FORBIDDEN', 'A session keeps an owner: make somebody else one first.');
      case 'too-many':
        throw new FlowError('TOO_LARGE', `A session gives ${MAX_ROLES} roles at most; its link has no bound.`);
    }
  }

  /** Something that no role tells of is another thing now: whoever it concerns is judged anew, everywhere. */
  async changed(sessionId: string, userId: string | null): Promise<void> {
    const { accessChanges, changes, follower, clock } = this.#options;
    const number = await accessChanges.append({ kind: 'role', sessionId, userId }, clock.now());
    changes.hear(number, sessionId, userId);
    await follower.appended();
  }

  async #given(sessionId: string, userId: string): Promise<Role | null> {
    const { role, link } = await this.#read(sessionId, userId);
    return strongerOf(role, link === 'none' ? null : link);
  }

  /** Through the cache. However many ask at the same time, it is read once. */
  async #read(sessionId: string, userId: string): Promise<StoredAccess> {
    const { changes } = this.#options;
    const since = changes.lastOf(sessionId, userId);
    const key = `${sessionId}\n${userId}`;
    const under = this.#reading.get(key);
    // What began before the last change may answer what was before it.
    if (under && under.asOf >= since) return under.row;
    const asOf = changes.asOf(sessionId, userId);
    const row = this.#readThrough(sessionId, userId, since, asOf).finally(() => {
      if (this.#reading.get(key)?.row === row) this.#reading.delete(key);
    });
    this.#reading.set(key, { asOf, row });
    return row;
  }

  async #readThrough(sessionId: string, userId: string, since: number, asOf: number): Promise<CachedAccess> {
    const { roles, cache } = this.#options;
    const cached = await cache.get(sessionId, userId, { since, until: asOf });
    if (cached) return cached;
    const stored = await roles.of(sessionId, userId);
    if (!stored) throw new FlowError('SESSION_NOT_FOUND');
    const row = { ...stored, number: asOf };
    await cache.put(sessionId, userId, row);
    return row;
  }
}
