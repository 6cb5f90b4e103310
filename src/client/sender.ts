import type { Mark } from '../protocol/positions';
import type { Replies, RequestInputs } from '../protocol/schemas';
import type { Answer } from './connection';
import { lastClientSeqOf, type HeldBatch, type HeldQueue } from './held-queue';
import type { Refusal } from './refusals';

/** EO10: more the server would refuse. */
const MAX_IN_FLIGHT = 64;

interface SenderOptions {
  readonly sessionId: string;
  readonly queue: HeldQueue;
  /** What it returns says that a delivered entry has answered. */
  readonly submit: (request: RequestInputs['operation:submit'], answer: Answer<'operation:submit'>) => () => void;
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
  #inFlight = new Map<HeldBatch, () => void>();
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
    for (const forget of this.#inFlight.values()) forget();
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
    for (const [batch, confirmed] of this.#inFlight) {
      if (open.has(batch)) continue;
      this.#inFlight.delete(batch);
      confirmed();
    }
    this.#goOn();
  }

  pump(): void {
    const { queue, maySend } = this.#options;
    while (this.#isRunning && this.#inFlight.size < MAX_IN_FLIGHT) {
      const batch = queue.nextToSend();
      if (!batch || !maySend(batch)) return;
      this.#send(batch);
    }
  }

  #send(batch: HeldBatch): void {
    const { sessionId, queue, submit } = this.#options;
    const inFlight = this.#inFlight;
    const settle = (): boolean => inFlight === this.#inFlight && inFlight.delete(batch);
    queue.setState(batch, { kind: 'in-flight' });
    const operations = batch.operations.map(({ value }) => value);
    const base: { base?: Mark } = batch.base ? { base: batch.base } : {};
    inFlight.set(batch, () => {});
    const confirmed = submit(
      { sessionId, clientSeq: batch.clientSeq, operations, ...base },
      {
        onReply: (reply) => settle() && this.#onReply(batch, reply),
        onRefusal: (refusal) => settle() && this.#onRefusal(batch, refusal),
      },
    );
    if (inFlight.has(batch)) inFlight.set(batch, confirmed);
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
