import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';

/** A Redis that is slow is slow for thousands of operations. */
const INTERVAL_MS = 10_000;

/** Tells of operations that took long: the first at once, then one line per interval with how many there were and which was the worst. */
export class SlowOperations {
  readonly #slowMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #count = 0;
  #worst = { name: '', ms: 0 };
  #cancel: (() => void) | undefined;

  constructor({ slowMs, clock, log }: { slowMs: number; clock: Clock; log: Logger }) {
    this.#slowMs = slowMs;
    this.#clock = clock;
    this.#log = log;
  }

  record(name: string, ms: number): void {
    if (ms <= this.#slowMs) return;
    this.#count += 1;
    if (ms > this.#worst.ms) this.#worst = { name, ms };
    if (!this.#cancel) this.#tell();
  }

  stop(): void {
    this.#cancel?.();
  }

  #tell(): void {
    const { name: command, ms } = this.#worst;
    this.#log.warn({ command, ms: Math.round(ms), count: this.#count }, 'Redis operation took longer than expected');
    this.#count = 0;
    this.#worst = { name: '', ms: 0 };
    this.#cancel = this.#clock.after(INTERVAL_MS, () => {
      this.#cancel = undefined;
      if (this.#count > 0) this.#tell();
    });
  }
}
