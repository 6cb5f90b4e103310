import { FlowError } from '../protocol/errors';
import { notDelivered, RETRY_AFTER_MS } from './admission';

export type ClosedReason = 'idle' | 'closed' | 'moved' | 'stopped';

export type SessionState =
  | { readonly kind: 'open' }
  /** What is ordered is still delivered and saved; nothing new is accepted. */
  | { readonly kind: 'draining' }
  /** A discontinuity was found; nothing is accepted until the history is certain again (DL4). */
  | { readonly kind: 'reopening'; readonly resumeAs: 'open' | 'draining' }
  | { readonly kind: 'closed'; readonly reason: ClosedReason };

/** What comes of a state when the server is going to stop. */
export function drained(state: SessionState): SessionState {
  switch (state.kind) {
    case 'open':
      return { kind: 'draining' };
    case 'reopening':
      return { kind: 'reopening', resumeAs: 'draining' };
    case 'draining':
    case 'closed':
      return state;
  }
}

/** Throws where nothing is accepted, and says what to do instead. */
export function demandOpen(state: SessionState): void {
  switch (state.kind) {
    case 'open':
      return;
    case 'draining':
      throw new FlowError('DRAINING', undefined, { retryAfterMs: RETRY_AFTER_MS });
    case 'reopening':
      throw notDelivered();
    case 'closed':
      if (state.reason === 'closed') throw new FlowError('SESSION_NOT_FOUND');
      throw new FlowError('NOT_JOINED', 'The session was closed here; join again.');
  }
}
