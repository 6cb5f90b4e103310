import { FlowError } from '../protocol/errors';
import type { Replies } from '../protocol/schemas';

/** What the server takes at most (EO10). Bytes are those of JSON text. */
export type Limits = Replies['session:join']['limits'];

/** Until a join has told them: those of a server that was not set up otherwise. */
export const DEFAULT_LIMITS: Limits = { operationBytes: 1_048_576, batchOperations: 256, batchBytes: 2_097_152 };

/** The slowest uplink that is still waited for, as some have it in a train. */
const SLOW_BYTES_PER_SECOND = 30_000;

/** How long so many bytes are on their way at worst. */
export const slowTransferMs = (bytes: number): number => (bytes / SLOW_BYTES_PER_SECOND) * 1_000;

export const tooLarge = (what: string, bytes: number, allowed: number): FlowError =>
  new FlowError('TOO_LARGE', `${what} of ${bytes} bytes; ${allowed} are allowed.`);
