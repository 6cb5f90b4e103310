/** A line that delivers in order, each parcel after a delay of its own. */
export class Pipe {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves when what is sent now arrives. */
  pass(delayMs: number): Promise<void> {
    const arrived = Promise.all([this.#last, elapsed(delayMs)]).then(() => {});
    this.#last = arrived;
    return arrived;
  }
}

/** The next turn of the event loop, or later. */
export const elapsed = (delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    if (delayMs <= 0) setImmediate(resolve);
    else setTimeout(resolve, delayMs);
  });
