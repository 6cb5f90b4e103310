import type { FlowError } from '../protocol/errors';
import type { ConnectionStatus } from './connection';
import type { HeldCounts } from './held-queue';
import type { Phase } from './membership';

/** The one thing to show to whoever writes (CL1). */
export type SessionStatus =
  /** `join` was not called yet, or `leave` was called since. What is written is kept. */
  | { readonly state: 'idle' }
  /** On the way in. What is written meanwhile is kept. `delayedBy`: the server asked to wait, and why. */
  | ({ readonly state: 'connecting'; readonly delayedBy?: FlowError } & HeldCounts)
  /** Everything of ours is saved, and everything of the others was delivered. */
  | { readonly state: 'synced' }
  /** The same, but by our role nothing of ours would be taken. */
  | { readonly state: 'read-only' }
  /** Joined; some of ours is not saved yet. */
  | ({ readonly state: 'saving'; readonly delayedBy?: FlowError } & HeldCounts)
  /** No connection. What is written is kept and sent when there is one again. */
  | ({ readonly state: 'offline'; readonly reason: string } & HeldCounts)
  /**
   * The server will not take what we send (`isReading`: but others' changes still arrive), or not let us in. Trying on is of no
   * use: tell the user. What is held stays held: see `heldOperations`.
   */
  | ({ readonly state: 'refused'; readonly reason: FlowError; readonly isReading: boolean } & HeldCounts)
  | { readonly state: 'closed' };

interface Situation {
  readonly phase: Phase;
  readonly connection: ConnectionStatus;
  readonly counts: HeldCounts;
  readonly writeRefusal: FlowError | null;
  readonly delayedBy: FlowError | null;
  readonly isReadOnly: boolean;
}

export function statusOf(situation: Situation): SessionStatus {
  const { phase, connection, counts, writeRefusal, delayedBy, isReadOnly } = situation;
  switch (phase.kind) {
    case 'idle':
    case 'closed':
      return { state: phase.kind };
    case 'refused':
      return { state: 'refused', reason: phase.reason, isReading: false, ...counts };
    case 'disconnected':
      if (connection.state === 'refused') {
        return { state: 'refused', reason: connection.reason, isReading: false, ...counts };
      }
      if (connection.state === 'waiting') return { state: 'offline', reason: connection.reason, ...counts };
      return { state: 'connecting', ...counts };
    case 'paused':
      return { state: 'connecting', ...(phase.delayedBy ? { delayedBy: phase.delayedBy } : {}), ...counts };
    case 'joining':
    case 'catching-up':
      return { state: 'connecting', ...counts };
    case 'live':
      if (writeRefusal) return { state: 'refused', reason: writeRefusal, isReading: true, ...counts };
      if (counts.unsent + counts.ordered === 0) return { state: isReadOnly ? 'read-only' : 'synced' };
      return { state: 'saving', ...(delayedBy ? { delayedBy } : {}), ...counts };
  }
}
