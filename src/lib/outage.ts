import type { Logger } from './logger';

/** Something that fails over and over says so once, and once more when it works again. */
export class Outage {
  readonly #log: Logger;
  readonly #texts: { readonly began: string; readonly ended: string };
  #failures = 0;

  constructor(log: Logger, texts: { began: string; ended: string }) {
    this.#log = log;
    this.#texts = texts;
  }

  failed(fault: unknown): void {
    this.#failures += 1;
    if (this.#failures === 1) this.#log.warn({ err: fault }, this.#texts.began);
  }

  worked(): void {
    if (this.#failures === 0) return;
    this.#log.info({ failures: this.#failures }, this.#texts.ended);
    this.#failures = 0;
  }
}
