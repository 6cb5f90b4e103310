import { randomBytes } from 'node:crypto';
import { FlowError } from '../protocol/errors';

/** What a caller gets for a fault: a FlowError as it is, anything else as INTERNAL with an id that the log has too. */
export function toFlowError(fault: unknown): FlowError {
  if (fault instanceof FlowError) return fault;
  const errorId = randomBytes(6).toString('hex');
  return new FlowError('INTERNAL', undefined, { errorId, retryAfterMs: 1_000 }, { cause: fault });
}
