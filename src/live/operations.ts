import { demandYjsUpdate } from '../lib/yjs-update';
import { FlowError } from '../protocol/errors';
import { demandJsonValue } from '../protocol/json-value';
import type { Format } from '../protocol/schemas';

export interface OperationLimits {
  /** Of one operation as JSON text. */
  readonly maxOperationBytes: number;
  readonly maxBatchOperations: number;
  readonly maxBatchBytes: number;
}

/** Checks a batch against its session's format and the limits (EO10), and answers it as the JSON text that is ordered and stored. */
export function encodeOperations(format: Format, operations: readonly unknown[], limits: OperationLimits): string {
  if (operations.length > limits.maxBatchOperations) {
    throw new FlowError(
      'TOO_LARGE',
      `A batch may have ${limits.maxBatchOperations} operations, this one has ${operations.length}.`,
    );
  }
  const texts = operations.map((operation, index) => {
    const text = format === 'yjs' ? encodeYjs(operation, index, limits) : encodeJson(operation, index);
    demandSize(text, limits.maxOperationBytes, `Operation ${index}`);
    return text;
  });
  const batch = `[${texts.join(',')}]`;
  demandSize(batch, limits.maxBatchBytes, 'The batch');
  return batch;
}

/** Any JSON value as text; refuses what is not JSON (binary attachments), what could poison a prototype, and what is too deep. */
export function encodeJsonValue(value: unknown, what: string): string {
  demandJsonValue(value, what);
  return JSON.stringify(value);
}

function encodeJson(operation: unknown, index: number): string {
  return encodeJsonValue(operation, `Operation ${index}`);
}

function encodeYjs(operation: unknown, index: number, limits: OperationLimits): string {
  if (typeof operation !== 'string') throw new FlowError('BAD_REQUEST', `Operation ${index} must be a base64 string.`);
  demandSize(operation, limits.maxOperationBytes, `Operation ${index}`);
  const bytes = Buffer.from(operation, 'base64');
  // Buffer.from passes over what is no base64; only text that comes back the same is stored.
  if (bytes.toString('base64') !== operation) throw new FlowError('BAD_REQUEST', `Operation ${index} is not base64.`);
  demandYjsUpdate(bytes, `Operation ${index}`);
  return `"${operation}"`;
}

function demandSize(text: string, maxBytes: number, what: string): void {
  // A character is at most three bytes, so short texts need no count.
  if (text.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new FlowError('TOO_LARGE', `${what} has ${bytes} bytes; ${maxBytes} are allowed.`);
}
