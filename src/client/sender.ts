import type { Mark } from '../protocol/positions';
import type { Replies, RequestInputs } from '../protocol/schemas';
import type { Answer } from './connection';
import { bytesOf, lastClientSeqOf, type HeldBatch } from './held-batch';
import type { HeldQueue } from './held-queue';
import { tooLarge } from './limits';
import type { Refusal } from './refusals';

/** EO10: more the server would refuse. */
const MAX_IN_FLIGHT = 64;
/**
 * Several batches are on their way together up to so many bytes: pongs and everything else wait behind them, on a slow line
 * (30 kB/s) for 17 seconds. On a fast one it is 10 MB/s at a round trip of 50 ms.
 */
const MAX_BYTES_IN_FLIGHT = 524_288;

export type Submit = (
  request: RequestInputs['operation:submit'],
  bytesInFlight: number,
  answer: Answer<'operation:submit'>,
) => () => void;

interface InFlight {
  readonly bytes: number;
  readonly confirmed: () => void;
}

interface SenderOptions {
  readonly sessionId: string;
  readonly queue: HeldQueue;
  /** `bytesInFlight` is with this one. What it returns says that a delivered entry has answered. */
  readonly submit: Submit;
  /** False while a stored copy of the queue lacks the batch; `pump` is called again when it has it. */
  readonly maySend: (batch: HeldBatch) => boolean;
  readonly onAccepted: (batch: HeldBatch) => void;
  /** The first refused batch, told when every other one in flight is answered, too. The sender has paused itself. */
  readonly onRefused: (batch: HeldBatch, refusal: Refusal) => void;
}

/**
 * Sends held batches in order, several at a time. A refusal stops it until everything in flight is answered, because the
 * batches behind a refused one are refused as well; then the session decides how to go on.
 */
export class Sender {
  readonly #options: SenderOptions;
  /** Batches of the connection there is now; replaced with every `halt`, so that late answers find nothing. */
  #inFlight = new Map<HeldBatch, InFlight>();
  #trouble: { batch: HeldBatch; refusal: Refusal } | null = null;
  #isRunning = false;
  #onQuiet: (() => void) | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Begins, or goes on after a refusal. */
  run(): void {
    this.#isRunning = true;
    this.pump();
  }

  /** Forgets what is in flight: the connection is gone, or the history is read anew. */
  halt(): void {
    this.#isRunning = false;
    for (const { confirmed: forget } of this.#inFlight.values()) forget();
    this.#inFlight = new Map();
    this.#trouble = null;
    this.#onQuiet = null;
    this.#options.queue.forgetWhatWasSent();
  }

  /** Pauses and calls `run` once nothing is in flight any more. */
  whenQuiet(run: () => void): void {
    this.#isRunning = false;
    if (this.#inFlight.size === 0) run();
    else this.#onQuiet = run;
  }

  /** Some of ours were delivered: nothing else will be said of them. */
  onDelivered(): void {
    if (this.#inFlight.size === 0) return;
    const open = new Set(this.#options.queue.open);
    for (const [batch, { confirmed }] of this.#inFlight) {
      if (open.has(batch)) continue;
      this.#inFlight.delete(batch);
      confirmed();
    }
    this.#goOn();
  }

  pump(): void {
    const { queue, maySend } = this.#options;
    while (this.#isRunning && this.#inFlight.size < MAX_IN_FLIGHT) {
      const bytesBefore = this.#bytesInFlight();
      // Nothing gets its grouping before it can go.
      if (bytesBefore >= MAX_BYTES_IN_FLIGHT) return;
      const batch = queue.nextToSend();
      if (!batch || !maySend(batch)) return;
      const bytes = bytesOf(batch.operations);
      if (bytesBefore > 0 && bytesBefore + bytes > MAX_BYTES_IN_FLIGHT) return;
      this.#send(batch, bytes, bytesBefore + bytes);
    }
  }

  #bytesInFlight(): number {
    let sum = 0;
    for (const { bytes } of this.#inFlight.values()) sum += bytes;
    return sum;
  }

  #send(batch: HeldBatch, bytes: number, bytesInFlight: number): void {
    const { sessionId, queue, submit } = this.#options;
    const { operationBytes } = queue.limits;
    const largest = Math.max(...batch.operations.map((operation) => operation.bytes));
    // A frame that is far too large ends the connection, so the server cannot be left to refuse it.
    if (largest > operationBytes) {
      const error = tooLarge('An operation', largest, operationBytes);
      return this.#onRefusal(batch, { error, action: 'stop', isUnanswered: false });
    }
    const inFlight = this.#inFlight;
    const settle = (): boolean => inFlight === this.#inFlight && inFlight.delete(batch);
    queue.setState(batch, { kind: 'in-flight' });
    const operations = batch.operations.map(({ value }) => value);
    const base: { base?: Mark } = batch.base ? { base: batch.base } : {};
    inFlight.set(batch, { bytes, confirmed: () => {} });
    const confirmed = submit({ sessionId, clientSeq: batch.clientSeq, operations, ...base }, bytesInFlight, {
      onReply: (reply) => settle() && this.#onReply(batch, reply),
      onRefusal: (refusal) => settle() && this.#onRefusal(batch, refusal),
    });
    if (inFlight.has(batch)) inFlight.set(batch, { bytes, confirmed });
  }

  #onReply(batch: HeldBatch, { seq, duplicate }: Replies['operation:submit']): void {
    const { queue, onAccepted } = this.#options;
    queue.setState(batch, { kind: 'accepted', seq, isDuplicate: duplicate === true });
    onAccepted(batch);
    this.#goOn();
  }

  #onRefusal(batch: HeldBatch, refusal: Refusal): void {
    this.#options.queue.setState(batch, { kind: 'waiting' });
    this.#isRunning = false;
    if (!this.#trouble || lastClientSeqOf(batch) < this.#trouble.batch.clientSeq) this.#trouble = { batch, refusal };
    this.#goOn();
  }

  #goOn(): void {
    if (this.#inFlight.size > 0) return this.pump();
    const trouble = this.#trouble;
    const onQuiet = this.#onQuiet;
    this.#trouble = null;
    this.#onQuiet = null;
    if (onQuiet) onQuiet();
    else if (trouble) this.#options.onRefused(trouble.batch, trouble.refusal);
    else this.pump();
  }
}
