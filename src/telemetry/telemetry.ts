import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { FlowError } from '../protocol/errors';

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export interface RecentPercentiles extends Percentiles {
  /** Values that these are of. */
  readonly count: number;
  readonly p95: number;
}

/** An hour: what takes longer counts as that. It bounds the memory of a histogram to 180 kB. */
const HIGHEST_MICROS = 3_600_000_000;

const newHistogram = (): RecordableHistogram => createHistogram({ figures: 3, highest: HIGHEST_MICROS });

/** Where histograms are added up to be read. */
const sum = newHistogram();

/** Milliseconds, kept as whole microseconds: native, constant memory, about 0.2 µs per value. */
export class LatencyHistogram {
  /** All values, but for those of the window that is not over. */
  readonly #before = newHistogram();
  #lastWindow = newHistogram();
  #window = newHistogram();

  record(milliseconds: number): void {
    this.#window.record(Math.min(HIGHEST_MICROS, Math.max(1, Math.round(milliseconds * 1_000))));
  }

  /** Of everything since the start; 0 where nothing was recorded. */
  percentiles(): Percentiles {
    const { p50, p99 } = percentilesOf(this.#before, this.#window);
    return { p50, p99 };
  }

  /** Of the window that is not over and the one before it. */
  recent(): RecentPercentiles {
    return percentilesOf(this.#lastWindow, this.#window);
  }

  /** Begins a new window. */
  turnWindow(): void {
    this.#before.add(this.#window);
    [this.#lastWindow, this.#window] = [this.#window, this.#lastWindow];
    this.#window.reset();
  }
}

function percentilesOf(...parts: readonly RecordableHistogram[]): RecentPercentiles {
  sum.reset();
  for (const part of parts) if (part.count > 0) sum.add(part);
  if (sum.count === 0) return { count: 0, p50: 0, p95: 0, p99: 0 };
  const at = (percentile: number): number => sum.percentile(percentile) / 1_000;
  return { count: sum.count, p50: at(50), p95: at(95), p99: at(99) };
}

/** What the server counts while it works; /ws/stats reads it. Counters only grow. */
export class Telemetry {
  readonly operations = {
    /** Operations (not batches) given a place in the order here. */
    ordered: 0,
    /** Operations times the connections they were sent to. */
    delivered: 0,
    saved: 0,
    /** Batches recognised as sent again. */
    duplicates: 0,
    /** Requests answered with an error. */
    refused: 0,
    /** Holes in the hint feed closed by reading the log (DL2, DL3). */
    gapsRepaired: 0,
    /** Discontinuities whose clients had to fork (DL4). */
    forks: 0,
  };
  readonly slowConsumersCut = { count: 0 };
  readonly limits = {
    /** Requests and connections refused because their caller does too much. */
    refused: 0,
    /** Connections ended because they ignored that. */
    connectionsCut: 0,
  };
  /** Submit received → ordered. */
  readonly orderMs = new LatencyHistogram();
  /** Ordered → durable. */
  readonly saveMs = new LatencyHistogram();
  /** One operation against Redis. */
  readonly redisMs = new LatencyHistogram();
  /** Ordered → written to the sockets. */
  readonly deliverMs = new LatencyHistogram();

  /** A request was answered with an error. */
  refused({ code }: FlowError): void {
    this.operations.refused += 1;
    if (code === 'RATE_LIMITED') this.limits.refused += 1;
  }

  turnWindows(): void {
    for (const histogram of [this.orderMs, this.saveMs, this.redisMs, this.deliverMs]) histogram.turnWindow();
  }
}
