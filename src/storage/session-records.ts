import type { Format, LinkAccess } from '../protocol/schemas';

/** The durable record of a collaboration session. */
export interface SessionRecord {
  readonly sessionId: string;
  readonly title: string;
  readonly format: Format;
  /** userId of the creator. */
  readonly createdBy: string;
  /** What the link gives; SessionRoles changes it. */
  readonly link: LinkAccess;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970: created, renamed or closed. */
  readonly updatedAt: number;
  /** Set when the session was closed: it can no longer be joined, its history is kept. */
  readonly closedAt?: number;
}

/** Rejects with STORE_UNAVAILABLE when the engine cannot answer. Writes are on disk before they resolve. */
export interface SessionRecords {
  /** The creator is its owner. False: the id is taken (also by a closed session). */
  create(record: SessionRecord): Promise<boolean>;

  get(sessionId: string): Promise<SessionRecord | null>;

  /** Changes the given fields. Null: there is no such session. */
  update(
    sessionId: string,
    change: Partial<Pick<SessionRecord, 'title' | 'updatedAt' | 'closedAt'>>,
  ): Promise<SessionRecord | null>;

  /** Open sessions in order of id, after `after` (exclusive), at most `limit`; those `userId` was given a role in if it is given. */
  list(query: { after?: string; limit: number; userId?: string }): Promise<readonly SessionRecord[]>;

  /**
   * Makes `record` a session that holds the latest snapshot and the stored entries after it of `sourceId`, tags and all.
   * One transaction. False: the id is taken. Rejects with SESSION_NOT_FOUND when there is no source.
   */
  copy(sourceId: string, record: SessionRecord): Promise<boolean>;
}
