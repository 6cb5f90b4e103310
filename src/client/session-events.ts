import type { Mark } from '../protocol/positions';
import type { AwarenessStates, Participant, Role, SessionInfo, WireSnapshot } from '../protocol/schemas';
import type { DeliveredEntry } from './history';
import type { SessionStatus } from './session-status';

export interface Delivery {
  /** In order, each exactly once between two resets or forks. */
  readonly entries: readonly DeliveredEntry[];
  /** Where the document is with these entries: the `base` of a proposal made now. */
  readonly head: Mark;
}

export interface SessionEvents {
  status: SessionStatus;
  entries: Delivery;
  /**
   * The document begins anew with this snapshot, or empty; entries after it follow. `stateVector` (yjs): the snapshot holds only
   * what our state vector lacked, and this is the state vector of the whole.
   */
  reset: { readonly snapshot: WireSnapshot | null; readonly stateVector: string | null };
  /**
   * Entries after `seq` are void, because the server died before it saved them; what it has instead follows as entries. Own
   * operations among them are held again and sent again. Own proposals are local changes of the editor again.
   */
  fork: { readonly seq: number; readonly rolledBack: readonly DeliveredEntry[] };
  /** Everything there was when we joined has been delivered; from here on changes come as they are made. */
  'caught-up': { readonly resume: 'start' | 'continue' | 'fork' };
  /** `saved` moved to this seq. */
  saved: { readonly seq: number };
  /** A stored queue was read: what an earlier life of this tab wrote, and is going to be sent now if the server lacks it. */
  restored: { readonly operations: readonly unknown[] };
  /** Own proposals that had been accepted, but are not in the history; the editor may propose them anew. */
  withdrawn: { readonly proposals: ReadonlyArray<readonly unknown[]> };
  /** Four fifths of what may be held are held (CL4); at the bound `submit` throws. */
  'nearly-full': { readonly heldBytes: number; readonly maxHeldBytes: number };
  /** There is room again after the bound was reached. */
  'room-again': { readonly heldBytes: number; readonly maxHeldBytes: number };
  /**
   * What is written from now on is not stored: a reload would lose it unless it is saved by then. What was stored before stays, until it
   * is being sent. Every further change tries again.
   */
  'storage-failed': { readonly cause: unknown };
  /** Everything held is stored again. */
  'storage-recovered': undefined;
  participants: readonly Participant[];
  awareness: AwarenessStates;
  renamed: SessionInfo;
  /** What we may do is known, or is another thing now. */
  role: Role;
}
