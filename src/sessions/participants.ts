import type { Participant } from '../protocol/schemas';

/**
 * Who is in which session, under leases: whoever is not renewed in time is gone, also when their instance died.
 */
export interface Participants {
  /** Adds or replaces by connectionId. Answers when, in milliseconds by a clock that all instances share. */
  join(sessionId: string, participant: Participant): Promise<number>;

  leave(sessionId: string, connectionId: string): Promise<void>;

  list(sessionId: string): Promise<readonly Participant[]>;

  /**
   * Renews the leases of these connections in all their sessions, and removes whoever has none there any more; to be called every
   * third of the lease. Answers those of the sessions in which there are others, too.
   */
  renew(connectionIds: readonly string[]): Promise<ReadonlySet<string>>;
}
