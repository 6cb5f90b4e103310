import type { StoredAccess } from '../storage/session-roles';

/** What is kept is kept for so long. */
export const ROLE_CACHE_TTL_MS = 300_000;

/** What was stored of one user's access to one session when a change of this number had been made, and perhaps later ones. */
export interface CachedAccess extends StoredAccess {
  readonly number: number;
}

/** Which rows may be believed: those that were read after the last change which concerns them, and not ones of another store's future. */
export interface Believable {
  readonly since: number;
  readonly until: number;
}

/**
 * A copy of what the store says, so that it is not asked each time. It decides nothing: whoever asks says which rows may be believed, so
 * that a row which nobody has removed opens no door. Neither method rejects, and neither takes long when what is behind it is away.
 */
export interface RoleCache {
  /** A believable row that was put less than ROLE_CACHE_TTL_MS ago; null: there is none, or it cannot be had. */
  get(sessionId: string, userId: string, believable: Believable): Promise<CachedAccess | null>;

  /** Resolves when it is known here; for other instances it is there soon, or not at all. */
  put(sessionId: string, userId: string, access: CachedAccess): Promise<void>;
}

export const isBelievable = ({ number }: CachedAccess, { since, until }: Believable): boolean =>
  number >= since && number <= until;
