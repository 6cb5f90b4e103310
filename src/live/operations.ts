import { demandYjsUpdate } from '../lib/yjs-update';
import { FlowError } from '../protocol/errors';
import { demandJsonValue } from '../protocol/json-value';
import type { Format } from '../protocol/schemas';
import { MAX_UNTRIED_PARTS } from '../protocol/yjs-bounds';

export interface OperationLimits {
  /** Of one operation as JSON text. */
  readonly maxOperationBytes: number;
  readonly maxBatchOperations: number;
  readonly maxBatchBytes: number;
}

export interface EncodedBatch {
  /** The JSON text that is ordered and stored. */
  readonly text: string;
  /** What applying it costs cannot be told by its size (EO12). */
  readonly isHeavy: boolean;
}

/** Checks a batch against its session's format and the limits (EO10, EO12). */
export function encodeOperations(
  format: Format,
  operations: readonly unknown[],
  limits: OperationLimits,
): EncodedBatch {
  if (operations.length > limits.maxBatchOperations) {
    throw new FlowError(
      'TOO_LARGE',
      `A batch may have ${limits.maxBatchOperations} operations, this one has ${operations.length}.`,
    );
  }
  let parts = 0;
  const texts = operations.map((operation, index) => {
    if (format === 'yjs') parts += demandYjs(operation, index, limits);
    const text = format === 'yjs' ? `"${String(operation)}"` : encodeJson(operation, index);
    demandSize(text, limits.maxOperationBytes, `Operation ${index}`);
    return text;
  });
  const text = `[${texts.join(',')}]`;
  demandSize(text, limits.maxBatchBytes, 'The batch');
  return { text, isHeavy: parts > MAX_UNTRIED_PARTS };
}

/** Any JSON value as text; refuses what is not JSON (binary attachments), what could poison a prototype, and what is too deep. */
export function encodeJsonValue(value: unknown, what: string): string {
  demandJsonValue(value, what);
  return JSON.stringify(value);
}

function encodeJson(operation: unknown, index: number): string {
  return encodeJsonValue(operation, `Operation ${index}`);
}

/** Answers how many parts it has. */
function demandYjs(operation: unknown, index: number, limits: OperationLimits): number {
  if (typeof operation !== 'string') throw new FlowError('BAD_REQUEST', `Operation ${index} must be a base64 string.`);
  demandSize(operation, limits.maxOperationBytes, `Operation ${index}`);
  const bytes = Buffer.from(operation, 'base64');
  // Buffer.from passes over what is no base64; only text that comes back the same is stored.
  if (bytes.toString('base64') !== operation) throw new FlowError('BAD_REQUEST', `Operation ${index} is not base64.`);
  return demandYjsUpdate(bytes, `Operation ${index}`);
}

function demandSize(text: string, maxBytes: number, what: string): void {
  // A character is at most three bytes, so short texts need no count.
  if (text.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new FlowError('TOO_LARGE', `${what} has ${bytes} bytes; ${maxBytes} are allowed.`);
}
