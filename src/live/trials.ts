import type { EncodedBatch } from './operations';

/**
 * Batches of so many parts that only trying tells what they cost are tried on the document before they are ordered. What a client
 * sends meanwhile waits behind, so that its batches reach the order as they came.
 */
export class Trials {
  readonly #tryOut: (operations: string) => Promise<void>;
  /** clientId → settles when the client's last batch has had its trial. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(tryOut: (operations: string) => Promise<void>) {
    this.#tryOut = tryOut;
  }

  /** Resolves when the batch may be ordered, rejects when it may not; undefined: now, in this turn. */
  of(clientId: string, batch: EncodedBatch): Promise<void> | undefined {
    const before = this.#last.get(clientId);
    if (!before && !batch.isHeavy) return undefined;
    const trial = this.#after(before, batch);
    const settled: Promise<void> = trial
      .catch(() => {})
      .finally(() => {
        if (this.#last.get(clientId) === settled) this.#last.delete(clientId);
      });
    this.#last.set(clientId, settled);
    return trial;
  }

  async #after(before: Promise<void> | undefined, { isHeavy, text }: EncodedBatch): Promise<void> {
    await before;
    if (isHeavy) await this.#tryOut(text);
  }
}
