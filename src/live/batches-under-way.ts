import { FlowError } from '../protocol/errors';

/** How long a client waits that has too many batches under way: about one round trip and a flush. */
const RETRY_AFTER_MS = 50;

/** EO10: each writer may have so many batches that wait for their answer. */
export class BatchesUnderWay {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Submits in this turn, or rejects with BUSY. */
  async run<Answer>(writer: string, submit: () => Promise<Answer>): Promise<Answer> {
    const count = this.#counts.get(writer) ?? 0;
    if (count >= this.#max)
      throw new FlowError('BUSY', `At most ${this.#max} batches may be in flight.`, { retryAfterMs: RETRY_AFTER_MS });
    this.#counts.set(writer, count + 1);
    try {
      return await submit();
    } finally {
      this.#end(writer);
    }
  }

  #end(writer: string): void {
    const left = (this.#counts.get(writer) ?? 0) - 1;
    if (left > 0) this.#counts.set(writer, left);
    else this.#counts.delete(writer);
  }
}
