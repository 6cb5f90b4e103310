import type { Stats } from './answer';
import { showSilence, showStats } from './panels';
import { Series } from './series';
import { StepCards } from './steps';

/** Behind something that spreads requests, several instances answer. One of them is shown until it has been silent for so long. */
const STAYS_MS = 15_000;

/** What is on the screen: one instance, and what it has said so far. */
export class Shown {
  readonly #cards = new StepCards();
  readonly #series = new Map<string, Series>();
  #instanceId: string | null = null;
  #heardAt: number;

  constructor(place: HTMLElement, now: number) {
    place.replaceChildren(...this.#cards.nodes);
    this.#heardAt = now;
  }

  answer(stats: Stats, now: number): void {
    const { instanceId } = stats;
    const series = this.#series.get(instanceId) ?? new Series();
    this.#series.set(instanceId, series);
    series.add(stats, now);
    const isOther = this.#instanceId !== null && this.#instanceId !== instanceId;
    if (isOther && now - this.#heardAt < STAYS_MS) return;
    this.#instanceId = instanceId;
    this.#heardAt = now;
    showStats(stats);
    this.#cards.draw(series, now);
  }

  /** Whoever answers next is shown. */
  silence(now: number): void {
    this.#instanceId = null;
    showSilence((now - this.#heardAt) / 1_000);
  }
}
