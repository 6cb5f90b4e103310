import type { Participant } from '../protocol/schemas';

/**
 * Who is in which session, under leases: whoever is not renewed in time is gone, also when their instance died.
 */
export interface Participants {
  /** Adds or replaces by connectionId. Answers everyone in the session, the new one included. */
  join(sessionId: string, participant: Participant): Promise<readonly Participant[]>;

  leave(sessionId: string, connectionId: string): Promise<void>;

  list(sessionId: string): Promise<readonly Participant[]>;

  /** Renews the leases of these connections in all their sessions; to be called every third of the lease. */
  renew(connectionIds: readonly string[]): Promise<void>;

  /** Removes participants whose lease has ended and answers them: each to one caller only. */
  sweep(): Promise<ReadonlyArray<{ sessionId: string; participant: Participant }>>;
}
