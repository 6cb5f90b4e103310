import { isDoneWithin, type Clock } from './clock';
import type { Logger } from './logger';

/** Something that is started once and stopped once. */
export interface Part {
  readonly name: string;
  start?(): Promise<void> | void;
  stop?(): Promise<void> | void;
}

/** Starts parts in order and stops those that were started in reverse order, each step under what is left of one deadline. */
export class Lifecycle {
  readonly #parts: readonly Part[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #started: Part[] = [];
  /** Settles when the part that starts right now has done so, or failed. */
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  constructor({ parts, clock, log }: { parts: readonly Part[]; clock: Clock; log: Logger }) {
    this.#parts = parts;
    this.#clock = clock;
    this.#log = log;
  }

  /** Rejects with the first fault, after stopping what was started before it; also when `stop` comes in between. */
  async start(stopDeadlineMs: number): Promise<void> {
    for (const part of this.#parts) {
      if (this.#stopping) break;
      // A part that fails half-way has something to stop too.
      this.#started.push(part);
      const starting = (async () => part.start?.())();
      this.#starting = starting.catch(() => {});
      try {
        await starting;
      } catch (fault) {
        await this.stop(stopDeadlineMs);
        throw fault;
      }
    }
    if (this.#stopping) throw new Error('stopped while starting');
  }

  /** Twice is once. A part that fails or hangs is logged and does not keep the others from stopping. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const endsAt = this.#clock.monotonic() + deadlineMs;
    const isInTime = (work: Promise<void>): Promise<boolean> =>
      isDoneWithin(this.#clock, work, Math.max(0, endsAt - this.#clock.monotonic()));

    await isInTime(this.#starting);
    for (let part = this.#started.pop(); part; part = this.#started.pop()) {
      const current = part;
      try {
        // An async function, so that a part that throws is a part that rejects.
        const stopping = (async () => current.stop?.())();
        if (!(await isInTime(stopping))) this.#log.error({ part: current.name }, 'a part did not stop in time');
      } catch (fault) {
        this.#log.error({ err: fault, part: current.name }, 'a part failed to stop');
      }
    }
  }
}
