import type { Latency, Stats, Step } from './answer';

/** How much of the past there is. */
export const KEPT_MS = 10 * 60_000;
/** Between two answers; after a longer silence nobody knows what happened in between. */
const LONGEST_STEP_MS = 15_000;

/** One moment. Null: not known. */
export interface Sample {
  /** Milliseconds; only differences matter. */
  readonly at: number;
  /** Operations per second since the sample before. */
  readonly perSecond: Readonly<Record<Step, number | null>>;
  /** Null also when there was nothing to measure. */
  readonly latency: Readonly<Record<Step, Latency | null>>;
}

/** What one instance has said of itself over time. */
export class Series {
  readonly #samples: Sample[] = [];
  #last: { readonly at: number; readonly stats: Stats } | null = null;

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get latest(): Sample | null {
    return this.#samples.at(-1) ?? null;
  }

  add(stats: Stats, at: number): void {
    this.#samples.push({ at, perSecond: this.#rates(stats, at), latency: latencies(stats) });
    this.#last = { at, stats };
    while ((this.#samples[0]?.at ?? at) < at - KEPT_MS) this.#samples.shift();
  }

  #rates({ operations: now }: Stats, at: number): Sample['perSecond'] {
    const before = this.#last?.stats.operations;
    const seconds = this.#last ? (at - this.#last.at) / 1_000 : 0;
    const isKnown = before !== undefined && seconds > 0 && seconds * 1_000 <= LONGEST_STEP_MS;
    // Counters only grow; a smaller one is another process's.
    const rate = (from: number | undefined, to: number): number | null =>
      isKnown && from !== undefined && to >= from ? (to - from) / seconds : null;
    return {
      order: rate(before?.ordered, now.ordered),
      save: rate(before?.saved, now.saved),
      deliver: rate(before?.delivered, now.delivered),
    };
  }
}

function latencies({ recentLatency }: Stats): Sample['latency'] {
  const known = (latency: Latency | undefined): Latency | null => (latency && latency.count > 0 ? latency : null);
  return {
    order: known(recentLatency?.orderMs),
    save: known(recentLatency?.saveMs),
    deliver: known(recentLatency?.deliverMs),
  };
}
