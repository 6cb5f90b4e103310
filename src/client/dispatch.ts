import type { FlowError } from '../protocol/errors';
import type { Mark } from '../protocol/positions';
import type { Backoff } from './backoff';
import type { HeldBatch } from './held-batch';
import type { Holding } from './holding';
import type { Proposals } from './proposals';
import { RefusalCounter, type Refusal } from './refusals';
import { Sender, type Submit } from './sender';
import type { Timers } from './timers';

interface DispatchOptions {
  readonly sessionId: string;
  readonly holding: Holding;
  readonly proposals: Proposals;
  readonly timers: Timers;
  readonly backoff: Backoff;
  readonly submit: Submit;
  readonly head: () => Mark;
  readonly isLive: () => boolean;
  readonly rejoin: (atLeastMs?: number) => void;
  /** Something changed that the status shows. */
  readonly onChanged: () => void;
  readonly onStopped: (reason: FlowError) => void;
}

/** `batch`: these operations will not be taken. Null: none of ours will. */
interface RefusedWriting {
  readonly batch: HeldBatch | null;
  readonly error: FlowError;
}

/** Sends what is held, and does about every refusal what the server says (EO5, CL3). */
export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #sender: Sender;
  readonly #refusals = new RefusalCounter();
  #refused: RefusedWriting | null = null;
  #cancelDelay: (() => void) | null = null;
  #delayedBy: FlowError | null = null;
  #isPumpDue = false;

  constructor(options: DispatchOptions) {
    const { sessionId, holding, submit } = options;
    this.#options = options;
    this.#sender = new Sender({
      sessionId,
      queue: holding.queue,
      submit,
      maySend: (batch) => holding.isStored(batch),
      onAccepted: (batch) => this.#onAccepted(batch),
      onRefused: (batch, refusal) => this.#onRefused(batch, refusal),
    });
  }

  /** What the server will not take, and why; it is tried again with the next join. */
  get refused(): RefusedWriting | null {
    return this.#refused;
  }

  /** What was refused is not held any more. What was behind it needs other numbers, after the turn in which it was refused. */
  forgetRefused(): void {
    this.#refused = null;
    queueMicrotask(() => this.#options.rejoin());
  }

  /** Why the server asked to wait. */
  get delayedBy(): FlowError | null {
    return this.#delayedBy;
  }

  /** The history is certain, and everything held has a number the server will take. */
  begin(): void {
    this.#refused = null;
    this.#delayedBy = null;
    if (this.#options.isLive()) this.#sender.run();
  }

  halt(): void {
    this.#cancelDelay?.();
    this.#sender.halt();
  }

  pump(): void {
    this.#sender.pump();
  }

  /** At the end of this turn, so that what is submitted in one turn is one batch. */
  pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#sender.pump();
    });
  }

  onProgress(): void {
    this.#refusals.clear();
    this.#options.backoff.reset();
    this.#delayedBy = null;
  }

  onDelivered(): void {
    for (const batch of this.#options.holding.queue.open) this.#checkAccepted(batch);
    this.#sender.onDelivered();
  }

  isHopeless(refusal: Refusal, subject: string | number): boolean {
    return this.#refusals.isHopeless(refusal, subject);
  }

  /**
   * Another tab speaks for this client, because both were restored from one stored queue: we go on as a new client. First
   * everything in flight is answered, so that nothing is sent under the new name that was accepted under the old one.
   */
  onReplaced(): void {
    const { holding, rejoin } = this.#options;
    if (!holding.client) return;
    holding.becomeNewClient();
    this.#sender.whenQuiet(() => rejoin());
  }

  #onAccepted(batch: HeldBatch): void {
    this.#checkAccepted(batch);
    this.#options.onChanged();
  }

  /** The server has it, it says; the history up to there must show it. */
  #checkAccepted(batch: HeldBatch): void {
    const { holding, head, rejoin } = this.#options;
    const { state } = batch;
    if (state.kind !== 'accepted' || state.seq > head().seq) return;
    if (state.isDuplicate) holding.queue.noteNotInHistory(batch);
    rejoin();
  }

  #onRefused(batch: HeldBatch, refusal: Refusal): void {
    const { holding, proposals, head, rejoin } = this.#options;
    const { error, action } = refusal;
    if (error.code === 'CLIENT_REPLACED') return this.onReplaced();
    // On this connection it may still arrive, however late: an answered join tells whether it has.
    if (refusal.isUnanswered) return rejoin();
    // Whatever was accepted under the number, it was not this.
    if (error.code === 'CLIENT_SEQ_CONFLICT') holding.queue.noteNotInHistory(batch);
    if (action === 'rebase' && proposals.onStaleBase(batch, error.details.head, head())) return this.#sender.run();
    if (this.#divide(batch, error)) return this.#sender.run();
    if (action === 'stop' || this.#refusals.isHopeless(refusal, batch.clientSeq)) return this.#stop(batch, error);
    switch (action) {
      case 'resend':
        return this.#resend(batch, error);
      case 'wait':
        return this.#sendAfter(error);
      case 'rebase':
      case 'rejoin':
        return rejoin(error.details.retryAfterMs);
    }
  }

  #resend(batch: HeldBatch, error: FlowError): void {
    const { expected } = error.details;
    if (expected === undefined) return this.#sendAfter(error);
    // The server lacks what we know to be ordered: only a join can tell what it has.
    if (expected < batch.clientSeq) return this.#options.rejoin();
    this.#options.holding.queue.splitAt(expected);
    this.#sender.run();
  }

  /** One operation that is never taken must not keep those away that went with it: halves, until it is alone. */
  #divide({ operations, clientSeq, base }: HeldBatch, { code }: FlowError): boolean {
    if ((code !== 'BAD_REQUEST' && code !== 'TOO_LARGE') || base || operations.length < 2) return false;
    this.#options.holding.queue.splitAt(clientSeq + Math.ceil(operations.length / 2));
    return true;
  }

  #sendAfter(error: FlowError): void {
    const { timers, backoff, isLive, onChanged } = this.#options;
    this.#delayedBy = error;
    this.#cancelDelay?.();
    this.#cancelDelay = timers.after(backoff.nextMs(error.details.retryAfterMs), () => {
      if (isLive()) this.#sender.run();
    });
    onChanged();
  }

  /** What is held stays held. */
  #stop(batch: HeldBatch, error: FlowError): void {
    const { proposals, onStopped } = this.#options;
    if (proposals.onRefused(batch, error)) return this.#sender.run();
    // Who may not write, may write nothing.
    this.#refused = { batch: error.code === 'FORBIDDEN' ? null : batch, error };
    onStopped(error);
  }
}
