import { FlowError } from '../protocol/errors';
import { GENESIS, type Mark } from '../protocol/positions';
import type { ClientCredentials } from '../protocol/schemas';
import type { Emitter } from './emitter';
import { demandJsonValue } from '../protocol/json-value';
import { toHeldOperation, type HeldOperation } from './held-operation';
import { isOneBatch, type HeldBatch } from './held-batch';
import { HeldQueue } from './held-queue';
import { tooLarge } from './limits';
import type { SessionEvents } from './session-events';
import type { StoredQueue } from './stored-queue';

interface HoldingOptions {
  readonly maxHeldBytes: number;
  readonly stored: StoredQueue | null;
  readonly emitter: Emitter<SessionEvents>;
}

/** A held operation as it is shown to the user, or exported. */
export interface HeldOperationView {
  readonly operation: unknown;
  readonly state: 'unsent' | 'sent' | 'ordered';
}

/** From here on `nearly-full` warns (CL4). */
const NEARLY_FULL = 0.8;

/** What a session keeps until it is saved, under which name, up to which bound, and its stored copy (CL1, CL4). */
export class Holding {
  readonly queue = new HeldQueue();
  /** Who we are to the server; null: a newcomer. */
  client: ClientCredentials | null = null;
  /** Everything held was ordered behind this, if it was ordered at all. */
  after: Mark = GENESIS;
  readonly #options: HoldingOptions;
  #restoring: Promise<void> | undefined;
  #isNearlyFull = false;
  #wasFull = false;

  constructor(options: HoldingOptions) {
    this.#options = options;
  }

  /** Everything, oldest first. */
  get views(): readonly HeldOperationView[] {
    const { ordered, open, pending } = this.queue;
    const viewsOf = (batches: readonly HeldBatch[]): HeldOperationView[] =>
      batches.flatMap(({ operations, state: { kind } }) => {
        const state = kind === 'ordered' ? 'ordered' : kind === 'waiting' ? 'unsent' : 'sent';
        return operations.map(({ value }) => ({ operation: value, state }));
      });
    const unsent = pending.map(({ value }): HeldOperationView => ({ operation: value, state: 'unsent' }));
    return [...viewsOf(ordered), ...viewsOf(open), ...unsent];
  }

  /**
   * Copies of the operations, as they may be held. Throws BUSY when there is no room for them (CL4), and BAD_REQUEST or TOO_LARGE
   * for what the server would never take.
   */
  admit(operations: readonly unknown[]): HeldOperation[] {
    const { maxHeldBytes } = this.#options;
    const { operationBytes } = this.queue.limits;
    const held = operations.map(toHeldOperation);
    if (held.length === 0) throw new FlowError('BAD_REQUEST', 'There are no operations.');
    for (const { value, bytes } of held) {
      demandJsonValue(value, 'An operation');
      if (bytes > operationBytes) throw tooLarge('An operation', bytes, operationBytes);
    }
    if (held.reduce((sum, { bytes }) => sum + bytes, this.queue.bytes) > maxHeldBytes) {
      this.#wasFull = true;
      throw new FlowError(
        'BUSY',
        `${this.queue.bytes} bytes wait to be saved; more than ${maxHeldBytes} are not kept.`,
      );
    }
    return held;
  }

  /** The same for operations that are one batch. */
  admitBatch(operations: readonly unknown[]): HeldOperation[] {
    const held = this.admit(operations);
    const { limits } = this.queue;
    if (isOneBatch(held, limits)) return held;
    const allowed = `${limits.batchOperations} operations of ${limits.batchBytes} bytes together`;
    throw new FlowError('TOO_LARGE', `More operations than go in one batch; ${allowed} are allowed.`);
  }

  /** Lets go of one batch without a place, or of everything that has none; the operations are the caller's again. */
  discard(batch: HeldBatch | null, reason: FlowError): readonly unknown[] {
    const discarded = this.queue.discard(batch, reason);
    this.#onReleased();
    return discarded.map(({ value }) => value);
  }

  /** After something was added. */
  onAdded(): void {
    this.keep();
    const { maxHeldBytes, emitter } = this.#options;
    if (this.#isNearlyFull || this.queue.bytes <= maxHeldBytes * NEARLY_FULL) return;
    this.#isNearlyFull = true;
    emitter.emit('nearly-full', { heldBytes: this.queue.bytes, maxHeldBytes });
  }

  /** What is saved: `seq` as announced, `mark` the last one below which nothing is ever taken back. */
  noteSaved(seq: number, mark: Mark): void {
    this.queue.noteSaved(seq);
    if (this.queue.release(mark.seq) > 0) this.#onReleased();
  }

  /** Brings the stored copy up to date, soon. */
  keep(isAwaited = false): void {
    const { client, after, queue } = this;
    this.#options.stored?.keep({ client, after, queue }, isAwaited);
  }

  /** Nothing is sent that a reload could forget: it might be sent again under another number (CL2). */
  isStored(batch: HeldBatch): boolean {
    const { stored } = this.#options;
    if (!stored || batch.version <= stored.version) return true;
    this.keep(true);
    return false;
  }

  /** Takes up what an earlier life of this tab has left. Once, however often it is called. */
  restore(onStored: () => void): Promise<void> {
    this.#restoring ??= this.#restore(onStored);
    return this.#restoring;
  }

  /** Another tab speaks under our name, and has the stored copy. */
  becomeNewClient(): void {
    this.client = null;
    this.#options.stored?.moveOut();
  }

  close(reason: FlowError): void {
    this.queue.giveUp(reason);
    this.#options.stored?.close(this.queue.isEmpty);
  }

  #onReleased(): void {
    this.keep();
    const { maxHeldBytes, emitter } = this.#options;
    if (this.queue.bytes > maxHeldBytes * NEARLY_FULL) return;
    this.#isNearlyFull = false;
    if (!this.#wasFull) return;
    this.#wasFull = false;
    emitter.emit('room-again', { heldBytes: this.queue.bytes, maxHeldBytes });
  }

  async #restore(onStored: () => void): Promise<void> {
    const { stored, emitter } = this.#options;
    const record = await stored?.open({
      onStored,
      onFailed: (cause) => emitter.emit('storage-failed', { cause }),
      onRecovered: () => emitter.emit('storage-recovered', undefined),
    });
    if (!record) {
      // What was submitted while it was looked for.
      if (!this.queue.isEmpty) this.keep();
      return;
    }
    this.client = record.client;
    this.after = record.after;
    this.queue.restore(record.client?.clientId ?? null, record.batches, record.pending);
    this.keep();
    const operations = this.views.map(({ operation }) => operation);
    if (operations.length > 0) emitter.emit('restored', { operations });
  }
}
