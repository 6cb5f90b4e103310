import type { EncodedBatch } from './operations';

/** Whether it is known what a client may do. */
export interface Clearance {
  readonly isSure: boolean;
  sure(): Promise<void>;
}

/**
 * Batches of so many parts that only trying tells what they cost are tried on the document before they are ordered, and those of a
 * client of whom nobody knows just now what it may do wait for that. What a client sends meanwhile waits behind, so that its batches
 * reach the order as they came.
 */
export class Trials {
  readonly #tryOut: (operations: string) => Promise<void>;
  /** clientId → settles when the client's last batch has had its trial. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(tryOut: (operations: string) => Promise<void>) {
    this.#tryOut = tryOut;
  }

  /** Resolves when the batch may be ordered, rejects when it may not; undefined: now, in this turn. */
  of(clientId: string, clearance: Clearance, batch: EncodedBatch): Promise<void> | undefined {
    const before = this.#last.get(clientId);
    if (!before && !batch.isHeavy && clearance.isSure) return undefined;
    const trial = this.#after(before, clearance, batch);
    const settled: Promise<void> = trial
      .catch(() => {})
      .finally(() => {
        if (this.#last.get(clientId) === settled) this.#last.delete(clientId);
      });
    this.#last.set(clientId, settled);
    return trial;
  }

  async #after(
    before: Promise<void> | undefined,
    clearance: Clearance,
    { isHeavy, text }: EncodedBatch,
  ): Promise<void> {
    await before;
    if (isHeavy) await this.#tryOut(text);
    await clearance.sure();
  }
}
