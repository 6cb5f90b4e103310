import type { Clock } from './clock';
import type { Logger } from './logger';
import { ERRORS, type ErrorCode, type FlowError } from '../protocol/errors';

/** Of one code, so many refusals are told with all there is to say … */
const TOLD_PER_INTERVAL = 3;
/** … per this time, and then how many more there were. */
const INTERVAL_MS = 10_000;

interface Counted {
  told: number;
  untold: number;
  cancel: () => void;
}

/** Logs what somebody is refused: one who goes on and on leaves a line every few seconds, not megabytes. */
export class RefusalLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #counted = new Map<ErrorCode, Counted>();

  constructor({ log, clock }: { log: Logger; clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
  }

  add(error: FlowError, event: string): void {
    const { code, details } = error;
    const { logLevel } = ERRORS[code];
    // The client is told an id under which each fault of ours is to be found.
    if (logLevel !== 'error') {
      const counted = this.#count(code);
      if (counted.told === TOLD_PER_INTERVAL) {
        counted.untold += 1;
        return;
      }
      counted.told += 1;
    }
    this.#log[logLevel]({ err: error, event, ...details }, 'request refused');
  }

  /** Tells what it has counted. The connection is gone. */
  end(): void {
    for (const [code, { cancel }] of this.#counted) {
      cancel();
      this.#tell(code);
    }
  }

  #count(code: ErrorCode): Counted {
    const known = this.#counted.get(code);
    if (known) return known;
    const counted = { told: 0, untold: 0, cancel: this.#clock.after(INTERVAL_MS, () => this.#tell(code)) };
    this.#counted.set(code, counted);
    return counted;
  }

  #tell(code: ErrorCode): void {
    const untold = this.#counted.get(code)?.untold ?? 0;
    this.#counted.delete(code);
    if (untold > 0) this.#log[ERRORS[code].logLevel]({ code, count: untold }, 'more requests refused');
  }
}
