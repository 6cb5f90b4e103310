import { FlowError } from '../protocol/errors';

/** Refusals that say about the same are one and the same: a flood costs no stack trace for each of its requests. */
const STEP_MS = 100;

/** `what` is too much of what. */
export const rateLimited = (what: string, waitMs: number): FlowError =>
  new FlowError('RATE_LIMITED', `${what}: wait.`, { retryAfterMs: Math.ceil(waitMs / STEP_MS) * STEP_MS });

/** The refusal of before, if it still says what there is to say. */
export function rateLimitedAgain(before: FlowError | undefined, what: string, waitMs: number): FlowError {
  const retryAfterMs = Math.ceil(waitMs / STEP_MS) * STEP_MS;
  return before?.details.retryAfterMs === retryAfterMs ? before : rateLimited(what, waitMs);
}
