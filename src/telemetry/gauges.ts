import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../lib/clock';
import type { Telemetry } from './telemetry';

/** How often counters are looked at. */
const SAMPLE_INTERVAL_MS = 1_000;
/** What "now" means in a rate or a percentile: long enough to be calm, short enough to show a change. */
const WINDOW_SAMPLES = 10;
/** Every wake-up costs; a stall that people notice is several times as long. */
const LAG_RESOLUTION_MS = 20;
const NANOSECONDS_PER_MS = 1_000_000;

interface Sample {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly ordered: number;
}

/** What only regular looking can tell: how much happens now, and how promptly the event loop turns. It turns the windows of latencies, too. */
export class Gauges {
  readonly #telemetry: Telemetry;
  readonly #clock: Clock;
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  /** Oldest first. */
  #samples: Sample[] = [];
  #samplesInWindow = 0;
  #lastWindowLagMs = 0;
  #cancel: (() => void) | undefined;

  constructor({ telemetry, clock }: { telemetry: Telemetry; clock: Clock }) {
    this.#telemetry = telemetry;
    this.#clock = clock;
  }

  start(): void {
    this.#delay.enable();
    this.#samples = [this.#look()];
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#delay.disable();
  }

  /** Operations ordered per second, over the last ten seconds. */
  get operationsPerSecond(): number {
    const oldest = this.#samples[0];
    if (!oldest) return 0;
    const now = this.#look();
    return now.at > oldest.at ? ((now.ordered - oldest.ordered) * 1_000) / (now.at - oldest.at) : 0;
  }

  /** 99th percentile of how late the event loop came to a timer, over ten to twenty seconds. */
  get eventLoopLagMsP99(): number {
    return Math.max(this.#lastWindowLagMs, this.#lagMsNow());
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(SAMPLE_INTERVAL_MS, () => {
      this.#samples.push(this.#look());
      if (this.#samples.length > WINDOW_SAMPLES) this.#samples.shift();
      this.#samplesInWindow += 1;
      if (this.#samplesInWindow >= WINDOW_SAMPLES) this.#turnWindow();
      this.#schedule();
    });
  }

  #turnWindow(): void {
    this.#telemetry.turnWindows();
    this.#lastWindowLagMs = this.#lagMsNow();
    this.#delay.reset();
    this.#samplesInWindow = 0;
  }

  /** The histogram holds the time between two looks, of which its resolution is no delay. */
  #lagMsNow(): number {
    if (this.#delay.count === 0) return 0;
    return Math.max(0, this.#delay.percentile(99) / NANOSECONDS_PER_MS - LAG_RESOLUTION_MS);
  }

  #look(): Sample {
    return { at: this.#clock.monotonic(), ordered: this.#telemetry.operations.ordered };
  }
}
