/** Time as logic sees it; tests hand in one they can turn. */
export interface Clock {
  /** Wall clock, whole milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some fixed point, with fractions, never backwards: for measuring durations. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; such a timer keeps no process alive. Returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Waits without keeping the process alive. */
export const pause = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });

/** Whether `work` resolves before `deadlineMs` is over; rejects when `work` does in that time. Leaves no timer. */
export async function isDoneWithin(clock: Clock, work: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  let cancel = (): void => {};
  const overdue = new Promise<boolean>((resolve) => {
    cancel = clock.after(deadlineMs, () => resolve(false));
  });
  try {
    return await Promise.race([work.then(() => true), overdue]);
  } finally {
    cancel();
  }
}
