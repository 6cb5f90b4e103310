import type { Role, SessionInfo } from '../protocol/schemas';

/** Whoever is connected. */
export interface User {
  readonly userId: string;
}

/** What a caller shows: the handshake's `auth.token`, or HTTP's bearer token. */
export interface Credentials {
  readonly token: string | undefined;
  /** The real peer's address. */
  readonly address: string;
}

/** Who somebody is. Rejects with UNAUTHENTICATED, or answers null for the same. */
export type Authenticate = (credentials: Credentials) => Promise<User | null> | User | null;

/** What a user is in a session; null: they may not know of it. */
export type Authorize = (user: User, session: SessionInfo) => Promise<Role | null> | Role | null;
