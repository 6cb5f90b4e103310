import { pause, type Clock } from './clock';
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
  #stopping: Promise<void> | undefined;

  constructor({ parts, clock, log }: { parts: readonly Part[]; clock: Clock; log: Logger }) {
    this.#parts = parts;
    this.#clock = clock;
    this.#log = log;
  }

  /** Rejects with the first fault, after stopping what was started before it. */
  async start(stopDeadlineMs: number): Promise<void> {
    for (const part of this.#parts) {
      // A part that fails half-way has something to stop too.
      this.#started.push(part);
      try {
        await part.start?.();
      } catch (fault) {
        await this.stop(stopDeadlineMs);
        throw fault;
      }
    }
  }

  /** Twice is once. A part that fails or hangs is logged and does not keep the others from stopping. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const endsAt = this.#clock.monotonic() + deadlineMs;
    for (let part = this.#started.pop(); part; part = this.#started.pop()) {
      const leftMs = Math.max(0, endsAt - this.#clock.monotonic());
      const { name } = part;
      const stopped = Promise.resolve(part.stop?.()).then(
        () => true,
        (fault: unknown) => {
          this.#log.error({ err: fault, part: name }, 'a part failed to stop');
          return true;
        },
      );
      const isInTime = await Promise.race([stopped, pause(this.#clock, leftMs).then(() => false)]);
      if (!isInTime) this.#log.error({ part: name }, 'a part did not stop in time');
    }
  }
}
