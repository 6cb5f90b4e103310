import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { FlowError } from '../protocol/errors';

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Milliseconds, kept as whole microseconds: native, constant memory, about 0.2 µs per value. */
export class LatencyHistogram {
  readonly #micros: RecordableHistogram = createHistogram({ figures: 3 });

  record(milliseconds: number): void {
    this.#micros.record(Math.max(1, Math.round(milliseconds * 1_000)));
  }

  percentiles(): Percentiles {
    if (this.#micros.count === 0) return { p50: 0, p99: 0 };
    return { p50: this.#micros.percentile(50) / 1_000, p99: this.#micros.percentile(99) / 1_000 };
  }
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
}
