import type { Mark } from '../protocol/positions';
import type { HeldOperation } from './held-operation';
import type { Limits } from './limits';

export type BatchState =
  /** To be sent, or sent again. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'in-flight' }
  /** The server said it is ordered; only its delivery proves it (CL2). */
  | { readonly kind: 'accepted'; readonly seq: number; readonly isDuplicate: boolean }
  | { readonly kind: 'ordered'; readonly epoch: number; readonly seq: number };

/**
 * Operations that are sent together. Once a batch has its number, its grouping stays: the server may have accepted it without
 * our hearing of it, and takes or refuses a batch only as a whole.
 */
export interface HeldBatch {
  readonly operations: readonly HeldOperation[];
  /** Of a proposal: where it must be placed, or not at all. */
  readonly base: Mark | null;
  readonly clientId: string;
  /** Of its first operation. */
  readonly clientSeq: number;
  readonly state: BatchState;
  /** What a stored copy of the queue must have before the batch may be sent: see `HeldQueue.version`. */
  readonly version: number;
}

export type StoredBatch = Pick<HeldBatch, 'operations' | 'base' | 'clientId' | 'clientSeq'>;

/** Of its entry; what has no place comes after all that have one. */
export const seqOf = ({ state }: HeldBatch): number =>
  state.kind === 'ordered' ? state.seq : Number.POSITIVE_INFINITY;

export const lastClientSeqOf = ({ clientSeq, operations }: StoredBatch): number => clientSeq + operations.length - 1;

/** How many operations. */
export const sizeOf = (batches: readonly StoredBatch[]): number =>
  batches.reduce((count, { operations }) => count + operations.length, 0);

export const bytesOf = (operations: readonly HeldOperation[]): number =>
  operations.reduce((sum, { bytes }) => sum + bytes, 0);

/** How many of the operations make one batch; at least one. */
export function fitting(operations: readonly HeldOperation[], maxOperations: number, maxBytes: number): number {
  // Brackets, and a comma between two.
  let bytes = 1;
  let count = 0;
  for (const operation of operations) {
    bytes += operation.bytes + 1;
    if (count === maxOperations || (count > 0 && bytes > maxBytes)) break;
    count += 1;
  }
  return count;
}

/** Whether the server takes them as one batch. */
export const isOneBatch = (operations: readonly HeldOperation[], { batchOperations, batchBytes }: Limits): boolean =>
  fitting(operations, batchOperations, batchBytes) === operations.length;
