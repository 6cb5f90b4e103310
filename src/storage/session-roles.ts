import type { AccessList, LinkAccess, Role } from '../protocol/schemas';

/** What is stored of one user's access to one session. */
export interface StoredAccess {
  /** Given to this user; null: none. */
  readonly role: Role | null;
  /** What the link gives to everybody. */
  readonly link: LinkAccess;
}

/** One user's role (null takes it away), or what the link gives from now on. */
export type AccessSetting =
  | { readonly sessionId: string; readonly userId: string; readonly role: Role | null }
  | { readonly sessionId: string; readonly link: LinkAccess };

export type SetAccessResult =
  /** `number`: of the change in AccessChanges; null: it was so already. */
  | { readonly status: 'set'; readonly number: number | null }
  | { readonly status: 'not-found' | 'last-owner' | 'too-many' };

/** Who is that many people shares by the link. */
export const MAX_ROLES = 1_000;

/**
 * Who may do what in which session, as it was set. A session has at least one owner, its creator at first, and gives at most MAX_ROLES
 * roles. Rejects with STORE_UNAVAILABLE when the engine cannot answer.
 */
export interface SessionRoles {
  /** Null: there is no such session. */
  of(sessionId: string, userId: string): Promise<StoredAccess | null>;

  /** Everybody who was given a role. Null: there is no such session. */
  list(sessionId: string): Promise<AccessList | null>;

  /** On disk before it resolves, in one transaction with the row that tells every instance (AccessChanges). `at`: ms since 1970. */
  set(setting: AccessSetting, at: number): Promise<SetAccessResult>;
}

/** Why one user's role may not become another one, given the roles of all; the same for every engine, inside the transaction. */
export function refusalOf(
  before: Role | null,
  after: Role | null,
  all: readonly Role[],
): 'last-owner' | 'too-many' | null {
  if (before === 'owner' && all.filter((role) => role === 'owner').length === 1) return 'last-owner';
  return before === null && after !== null && all.length >= MAX_ROLES ? 'too-many' : null;
}
