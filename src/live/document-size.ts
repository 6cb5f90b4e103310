import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { FlowError } from '../protocol/errors';

/**
 * A document is read again no sooner, and reading takes at most this share of the time. So long edits still pass when it gets too large, and so
 * late it is noticed that it is not any more.
 */
const LOOK_AGAIN_MS = 100;
const MAX_MEASURING_SHARE = 1 / 20;

interface DocumentSizeOptions {
  /** 0: there is no limit. */
  readonly maxBytes: number;
  /** Reads what a newcomer would read, and answers how much that is. */
  readonly measure: () => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * How much there is to read for who joins: the snapshot and the entries behind it (LM8). It is read with the first edit, in the background; from then
 * on entries are added up, which is never too little; and where that is too much it is read again before anybody is refused.
 */
export class DocumentSize {
  readonly #options: DocumentSizeOptions;
  /** Infinite: it was not read yet. */
  #bytes = Number.POSITIVE_INFINITY;
  /** What has come since reading began. */
  #addedBytes = 0;
  /** It was read, and is too large. */
  #isFull = false;
  #isMeasuring = false;
  /** Monotonic: it is not read again before. */
  #notBefore = 0;

  constructor(options: DocumentSizeOptions) {
    this.#options = options;
  }

  /** Before an edit is taken. Throws TOO_LARGE. */
  demandRoom(): void {
    const { maxBytes, clock } = this.#options;
    if (maxBytes === 0 || this.#bytes < maxBytes) return;
    if (!this.#isMeasuring && clock.monotonic() >= this.#notBefore) void this.#measure();
    if (!this.#isFull) return;
    throw new FlowError('TOO_LARGE', `The document has ${this.#bytes} bytes; ${maxBytes} are allowed. It can be read.`);
  }

  /** An entry of so many bytes was ordered. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#addedBytes += bytes;
  }

  async #measure(): Promise<void> {
    const { measure, maxBytes, clock, log } = this.#options;
    const startedAt = clock.monotonic();
    this.#isMeasuring = true;
    this.#addedBytes = 0;
    try {
      this.#bytes = (await measure()) + this.#addedBytes;
      this.#isFull = this.#bytes >= maxBytes;
    } catch (cause) {
      log.warn({ err: cause }, 'how large the document is could not be read; it is tried again');
    } finally {
      const now = clock.monotonic();
      this.#notBefore = now + Math.max(LOOK_AGAIN_MS, (now - startedAt) / MAX_MEASURING_SHARE);
      this.#isMeasuring = false;
    }
  }
}
