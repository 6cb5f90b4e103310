import type { Role, SessionInfo } from '../protocol/schemas';

/** Whoever is connected, or calls. */
export interface User {
  readonly userId: string;
  /** The signed-in device; null: nothing tells it from others, so that it can be neither listed nor revoked. */
  readonly deviceId: string | null;
  readonly isAdministrator: boolean;
  /** Milliseconds since 1970: from then on this is nobody. Null: it does not end by itself. */
  readonly expiresAt: number | null;
  /** Milliseconds since 1970: of what was shown; where that does not say it, when it was shown. */
  readonly issuedAt: number;
}

/** What a caller shows. */
export interface Credentials {
  /** The handshake's `auth.token`, or HTTP's bearer token. */
  readonly token: string | undefined;
  /** The real peer's address. */
  readonly address: string;
  /** What the program says of itself; empty: nothing. */
  readonly userAgent: string;
  /** A connection stays, and is told apart from others without a name; a request over HTTP is not. */
  readonly via: 'socket' | 'http';
}

/** An answer to who somebody is; what is left out is filled in. */
export interface Identity {
  readonly userId: string;
  /** Unless given, each token is a device. Null: there is none. */
  readonly deviceId?: string | null;
  /** Unless given, no. */
  readonly isAdministrator?: boolean;
  /** Milliseconds since 1970. Unless given, there is no end. */
  readonly expiresAt?: number | null;
  /** Milliseconds since 1970. Unless given, now. */
  readonly issuedAt?: number;
}

/** Who somebody is. Rejects with UNAUTHENTICATED, or answers null for the same. */
export type Authenticate = (credentials: Credentials) => Promise<Identity | null> | Identity | null;

/** What a user is in a session; null: they may not know of it. `given`: what they are by roles and link. */
export type Authorize = (user: User, session: SessionInfo, given: Role | null) => Promise<Role | null> | Role | null;
