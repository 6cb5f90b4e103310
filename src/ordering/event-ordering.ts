import type { ClientRow, Entry } from '../protocol/entry';
import type { Mark, Position } from '../protocol/positions';

/** What the hot log of a session says of itself. `floor` ≤ `saved.seq` ≤ `head.seq`. */
export interface HotLog {
  readonly epoch: number;
  readonly head: Mark;
  /** The last position known to be in the store. */
  readonly saved: Mark;
  /** Entries at or below this seq are no longer in the hot log; the store has them. */
  readonly floor: number;
}

/** How far the operations of a client came. */
export interface Admitted {
  readonly lastClientSeq: number;
  /** Where that one stands. */
  readonly seq: number;
}

/** A batch that wants a place in the order. */
export interface Submission {
  /** The epoch the caller believes in (EO7). */
  readonly epoch: number;
  readonly clientId: string;
  readonly userId: string;
  /** Of the batch's first operation. */
  readonly firstClientSeq: number;
  readonly count: number;
  /** The operations as one JSON array. */
  readonly operations: string;
  /** When given, must equal the head (EO4). */
  readonly base?: Mark;
}

/** Every refusal changed nothing and consumed no clientSeq (EO5). */
export type AppendResult =
  | { readonly status: 'accepted'; readonly entry: Entry }
  | { readonly status: 'duplicate'; readonly epoch: number; readonly seq: number }
  | { readonly status: 'gap'; readonly expectedClientSeq: number }
  | { readonly status: 'conflict' }
  | { readonly status: 'stale-base'; readonly head: Mark }
  | { readonly status: 'client-unknown' }
  /** There is no hot log, or it has another epoch: open the session again. */
  | { readonly status: 'wrong-epoch' };

/** News about a session. May be lost, repeated, reordered or late (DL2): a hint, never the truth. */
export type Hint =
  | { readonly kind: 'entry'; readonly entry: Entry }
  /** An entry was ordered that is too large for the hint. */
  | { readonly kind: 'head'; readonly head: Position }
  | { readonly kind: 'saved'; readonly saved: Position };

/**
 * Gives every batch of a session its place (EO1–EO11) and keeps it in the hot log until the store has it.
 * Reads answer `null` where there is no hot log. A backend that is away rejects with BACKEND_UNAVAILABLE;
 * whether an append that rejected so was ordered is not known, and its client sends it again.
 */
export interface EventOrdering {
  /** `process`: dies with this process and is its own authority. `shared`: several instances see the same hot log. */
  readonly scope: 'process' | 'shared';

  /** The hot logs of many sessions in one go, in the order asked (the audit, DL3, and ST4). */
  describe(sessionIds: readonly string[]): Promise<ReadonlyArray<HotLog | null>>;

  /** Replaces the hot log by an empty one at `head`, only over a strictly older epoch or none (ST4). False: it was not older. */
  seed(sessionId: string, epoch: number, head: Mark): Promise<boolean>;

  /**
   * Makes a client known to the hot log (EO11). `stored` is its row in the store, null for a new client; a row the
   * hot log already has is newer and stays. Answers the client's last accepted clientSeq and its seq (0 and 0: none), or `wrong-epoch`.
   */
  admit(
    sessionId: string,
    epoch: number,
    clientId: string,
    stored: ClientRow | null,
  ): Promise<Admitted | 'wrong-epoch'>;

  /** Order, duplicate check and write in one atomic step (EO6). */
  append(sessionId: string, submission: Submission): Promise<AppendResult>;

  /**
   * Entries after `afterSeq` in order, whole, at least one if there is one, about `maxBytes` in all, with the hot log they were
   * read from. Below the floor it answers from the floor: the caller sees the hole and asks the store.
   */
  read(
    sessionId: string,
    afterSeq: number,
    maxBytes: number,
  ): Promise<{ log: HotLog; entries: readonly Entry[] } | null>;

  /** Moves `saved` up and lets go of entries at or below it; demands the exact epoch, else does nothing. */
  markSaved(sessionId: string, saved: Position): Promise<void>;

  /** Calls `onHint` for news of a session until the returned function is called. */
  follow(sessionId: string, onHint: (hint: Hint) => void): Promise<() => Promise<void>>;

  /**
   * This instance has closed the session: what is kept for it may go. Where the order is shared, what is not saved stays, for
   * others may save it (SV2); where it is not, nobody is left who could, and everything goes.
   */
  release(sessionId: string): Promise<void>;
}
