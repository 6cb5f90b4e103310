import { FlowError } from '../protocol/errors';

/** A page has a few editors on one document, and each makes an id when it is built anew. */
const MAX_IDS_PER_CONNECTION = 64;
/** Longer than anyone is away while a session is open; some hundred kilobytes. */
const MAX_REMEMBERED = 4_096;

/**
 * Whose awareness ids are: the user's who first showed something under them. A live connection's id is nobody else's anyway; this keeps
 * an id from others while its owner is between two connections, so that nobody comes back and finds somebody else in their place.
 */
export class AwarenessOwners {
  /** awarenessId → userId, the longest unused first. */
  readonly #users = new Map<string, string>();
  /** connectionId → the ids it has used. */
  readonly #used = new Map<string, Set<string>>();

  /** Throws where the id is another user's, or the connection has had too many. */
  claim({ connectionId, userId }: { connectionId: string; userId: string }, awarenessId: string): void {
    const owner = this.#users.get(awarenessId) ?? userId;
    if (owner !== userId) throw new FlowError('FORBIDDEN', 'Another user owns this awareness id.');
    const used = this.#used.get(connectionId) ?? new Set();
    if (!used.has(awarenessId) && used.size >= MAX_IDS_PER_CONNECTION)
      throw new FlowError('TOO_LARGE', `A connection may have had ${MAX_IDS_PER_CONNECTION} awareness ids.`);
    this.#used.set(connectionId, used.add(awarenessId));
    this.#users.delete(awarenessId);
    this.#users.set(awarenessId, userId);
    if (this.#users.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#users.keys();
    if (oldest !== undefined) this.#users.delete(oldest);
  }

  /** The connection is gone; its ids stay its user's. */
  leave(connectionId: string): void {
    this.#used.delete(connectionId);
  }
}
