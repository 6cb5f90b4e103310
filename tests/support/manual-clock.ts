import type { Clock } from '../../src/lib/clock';

interface Timer {
  readonly dueAt: number;
  readonly run: () => void;
}

/** Time that stands still until a test turns it. Wall clock and monotonic clock move together. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  readonly #startedAt: number;
  readonly #timers = new Set<Timer>();

  constructor(startedAt = 1_700_000_000_000) {
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#startedAt + Math.floor(this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueAt: this.#elapsedMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Runs everything that falls due in the next `ms`, in order, each at its own moment. */
  advance(ms: number): void {
    const endsAt = this.#elapsedMs + ms;
    for (let next = this.#nextDue(endsAt); next; next = this.#nextDue(endsAt)) {
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueAt);
      next.run();
    }
    this.#elapsedMs = endsAt;
  }

  /** The same in steps, with room in between for what the timers have set going. */
  async advanceInSteps(ms: number, stepMs = 1): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.advance(Math.min(stepMs, ms - passed));
      await settle();
    }
  }

  #nextDue(endsAt: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt <= endsAt && (!next || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }
}

/** Lets every promise that can go on without I/O or timers go on. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
