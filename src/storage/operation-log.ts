import type { ClientRow, Entry } from '../protocol/entry';
import type { Mark, Position } from '../protocol/positions';

/** How far saved entries are from harm. `fsync`: they survive loss of power; `buffered`: they survive the process. */
export type Durability = 'fsync' | 'buffered' | 'none';

/** Entries of one session that continue its stored history. */
export interface SessionSave {
  readonly sessionId: string;
  readonly epoch: number;
  /** Contiguous, in order; the first one's `prevTag` and `prevSeq` say where it continues. */
  readonly entries: readonly Entry[];
}

export type SaveResult =
  | { readonly status: 'saved'; readonly head: Mark }
  /** Another writer opened a newer epoch (or the given one was never opened): `epoch` is the stored one. */
  | { readonly status: 'fenced'; readonly epoch: number }
  /** The entries do not continue the stored history. */
  | { readonly status: 'diverged'; readonly head: Mark };

/**
 * The durable history of every session, and the arbiter of who may write it (ST1–ST3).
 * Every method rejects with STORE_UNAVAILABLE when the engine cannot answer; nothing was changed then that is not
 * reported by a later call.
 */
export interface OperationLog {
  readonly durability: Durability;

  /** Stored head and epoch of a session; epoch 0 at seq 0 before it was first opened; null: there is no such session. */
  head(sessionId: string): Promise<Position | null>;

  /**
   * Raises the epoch to `max(seen, above) + 1` if the stored one is still `seen`, on disk before it resolves (ST1).
   * Answers the new position, or null when the stored epoch is another one by now, or there is no such session.
   */
  openEpoch(sessionId: string, seen: number, above: number): Promise<Position | null>;

  /**
   * One group commit (ST2, ST3, ST6): a transaction over all given sessions, results in the same order and
   * independent of each other. Entries already stored with the same tags are skipped and count as saved.
   * A result is there only when its entries are as durable as `durability` says.
   */
  save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]>;

  /** Stored entries after `afterSeq`, in order, whole, at least one if there is one, about `maxBytes` in all. */
  readAfter(sessionId: string, afterSeq: number, maxBytes: number): Promise<readonly Entry[]>;

  /** The tag of the stored history at `seq`, where an entry ends there; null otherwise (also below what was pruned). */
  tagAt(sessionId: string, seq: number): Promise<string | null>;

  /** The client's row as of the stored head, or null (EO11). */
  clientRow(sessionId: string, clientId: string): Promise<ClientRow | null>;

  /** Removes entries at or below `seq` that are older than `before` (ms since 1970). Answers how many. The caller sees to ST10. */
  prune(sessionId: string, seq: number, before: number): Promise<number>;
}
