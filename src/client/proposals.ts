import type { FlowError } from '../protocol/errors';
import { isSameMark, type Mark } from '../protocol/positions';
import type { HeldBatch } from './held-batch';
import type { HeldQueue } from './held-queue';
import type { Placed } from './receipt';

/** What became of a proposal: it is in the history right behind its base, or it is not and never will be. */
export type Proposed =
  | ({ readonly status: 'accepted' } & Placed)
  /** Others were faster. `head` was delivered already: rebase onto it and propose again. */
  | { readonly status: 'stale'; readonly head: Mark };

interface Open {
  readonly batch: HeldBatch;
  /** Set when the server refused the base: told once everything up to there is delivered. */
  staleAt: Mark | null;
  readonly resolve: (proposed: Proposed) => void;
  readonly reject: (error: FlowError) => void;
}

/** The one proposal there may be at a time (EO4): kept, and sent again under the same number, until its fate is known. */
export class Proposals {
  readonly #queue: HeldQueue;
  #open: Open | null = null;

  constructor(queue: HeldQueue) {
    this.#queue = queue;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  open(batch: HeldBatch): Promise<Proposed> {
    return new Promise((resolve, reject) => {
      this.#open = { batch, staleAt: null, resolve, reject };
    });
  }

  /** The server refused the base; answers false where the batch is no open proposal. */
  onStaleBase(batch: HeldBatch, serverHead: Mark | undefined, head: Mark): boolean {
    if (this.#open?.batch !== batch) return false;
    this.#withdraw(batch);
    this.#open.staleAt = serverHead ?? head;
    this.onDelivered(head);
    return true;
  }

  /** The server refused it for good; answers false where the batch is no open proposal. */
  onRefused(batch: HeldBatch, error: FlowError): boolean {
    if (this.#open?.batch !== batch) return false;
    this.#withdraw(batch);
    this.#end()?.reject(error);
    return true;
  }

  /** Entries were delivered up to `head`, the proposal perhaps among them. */
  onDelivered(head: Mark): void {
    const open = this.#open;
    if (!open) return;
    const { state } = open.batch;
    if (state.kind === 'ordered') this.#end()?.resolve({ status: 'accepted', epoch: state.epoch, seq: state.seq });
    else if (open.staleAt && open.staleAt.seq <= head.seq) this.#end()?.resolve({ status: 'stale', head });
  }

  /**
   * After catching up: a proposal whose base is not the head was not accepted and cannot be any more. Answers the operations of
   * proposals that had a place and lost it.
   */
  settle(head: Mark): ReadonlyArray<readonly unknown[]> {
    this.onDelivered(head);
    const open = this.#open;
    const lost = this.#queue.withdraw((batch) => batch.base !== null && batch !== open?.batch);
    if (open && (open.staleAt || !open.batch.base || !isSameMark(open.batch.base, head))) {
      this.#withdraw(open.batch);
      this.#end()?.resolve({ status: 'stale', head });
    }
    return lost.map(({ operations }) => operations.map(({ value }) => value));
  }

  giveUp(error: FlowError): void {
    this.#end()?.reject(error);
  }

  #withdraw(batch: HeldBatch): void {
    this.#queue.withdraw((other) => other === batch);
  }

  #end(): Open | null {
    const open = this.#open;
    this.#open = null;
    return open;
  }
}
