import type { Format, LinkAccess, SessionInfo } from '../protocol/schemas';

export interface SessionDraft {
  /** Chosen by the caller, or made by the service. */
  readonly sessionId?: string;
  readonly title?: string;
  readonly format: Format;
  /** userId. */
  readonly createdBy: string;
  /** What the link gives. */
  readonly link: LinkAccess;
}

/**
 * The collaboration sessions there are. The truth is the durable record; a backend may keep a copy nearer.
 * Rejects with STORE_UNAVAILABLE or BACKEND_UNAVAILABLE when it cannot answer.
 */
export interface CollaborationService {
  /** Rejects with SESSION_EXISTS when the id is taken. */
  create(draft: SessionDraft): Promise<SessionInfo>;

  /** Null: there is none, or it was closed. */
  get(sessionId: string): Promise<SessionInfo | null>;

  /** Open sessions in order of id, those `userId` was given a role in if it is given; `next` continues the listing, null at its end. */
  list(query: { after?: string; limit: number; userId?: string }): Promise<{
    sessions: readonly SessionInfo[];
    next: string | null;
  }>;

  /** Rejects with SESSION_NOT_FOUND. */
  rename(sessionId: string, title: string): Promise<SessionInfo>;

  /** A new session with the saved document of another. Rejects with SESSION_NOT_FOUND or SESSION_EXISTS. */
  duplicate(sourceId: string, draft: Omit<SessionDraft, 'format'>): Promise<SessionInfo>;

  /** From now on the session cannot be joined; its history is kept. Rejects with SESSION_NOT_FOUND. */
  close(sessionId: string): Promise<void>;

  /** These sessions are in use: what a backend shows of them must not end. Resolves also when that failed; it is asked again. */
  touch(sessionIds: readonly string[]): Promise<void>;
}
