import type { FlowError } from '../protocol/errors';

/** Where operations stand in the order. */
export interface Placed {
  readonly epoch: number;
  /** Of the entry they were ordered in. */
  readonly seq: number;
}

/** What became of one `submit`. Nobody has to ask; whoever asks after the end is told at once. */
export class Receipt {
  #placed: Placed | null = null;
  #isSaved = false;
  #failure: FlowError | null = null;
  #waiters: Array<{ isForSaved: boolean; resolve: (placed: Placed) => void; reject: (error: FlowError) => void }> = [];

  /** Resolves when the operations have a place. A server that dies before saving may lose it again: see `whenSaved`. */
  whenOrdered(): Promise<Placed> {
    return this.#when(false);
  }

  /** Resolves when the operations are in the durable store. Rejects when the session is closed before. */
  whenSaved(): Promise<Placed> {
    return this.#when(true);
  }

  /** @internal */
  noteOrdered(placed: Placed): void {
    if (this.#failure) return;
    this.#placed = placed;
    this.#tell();
  }

  /** @internal */
  noteSaved(): void {
    if (this.#failure) return;
    this.#isSaved = true;
    this.#tell();
  }

  /** @internal */
  noteLost(failure: FlowError): void {
    if (this.#isSaved) return;
    this.#failure = failure;
    this.#tell();
  }

  #when(isForSaved: boolean): Promise<Placed> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ isForSaved, resolve, reject });
      this.#tell();
    });
  }

  #tell(): void {
    const placed = this.#placed;
    this.#waiters = this.#waiters.filter(({ isForSaved, resolve, reject }) => {
      if (placed && (this.#isSaved || !isForSaved)) resolve(placed);
      else if (this.#failure) reject(this.#failure);
      else return true;
      return false;
    });
  }
}
