import { element } from '../dom';
import { STEPS, type Step } from './answer';
import { Chart } from './chart';
import type { Series } from './series';
import { milliseconds, rate } from './words';

const TITLES: Readonly<Record<Step, string>> = { order: 'Ordered', save: 'Saved', deliver: 'Delivered' };
const LATENCIES: Readonly<Record<Step, string>> = {
  order: 'received → ordered',
  save: 'ordered → saved',
  deliver: 'ordered → sent',
};
const PERCENTILES = ['p50', 'p95', 'p99'] as const;

/** A card per step of an operation's way: how many, and how fast. */
export class StepCards {
  readonly nodes: readonly HTMLElement[];
  readonly #cards: ReadonlyArray<{ step: Step; now: HTMLElement; rates: Chart; latencies: Chart }>;

  constructor() {
    this.#cards = STEPS.map((step) => ({
      step,
      now: element('p', { class: 'large', id: `rate-${step}` }),
      rates: new Chart({
        title: 'per second',
        names: ['rate'],
        format: rate,
        leastTop: 10,
        isFilled: true,
      }),
      latencies: new Chart({
        title: LATENCIES[step],
        names: PERCENTILES,
        format: milliseconds,
        leastTop: 1,
        isFilled: false,
      }),
    }));
    this.nodes = this.#cards.map(({ step, now, rates, latencies }) => {
      latencies.node.classList.add('unlocked');
      latencies.node.id = `latency-${step}`;
      return element('article', { class: 'card step', 'aria-label': TITLES[step] }, [
        element('div', { class: 'headline' }, [element('h2', {}, [TITLES[step]]), now]),
        rates.node,
        latencies.node,
        element('p', { class: 'locked muted' }, ['Only administrators see how fast.']),
      ]);
    });
  }

  draw({ samples, latest }: Series, at: number): void {
    for (const { step, now, rates, latencies } of this.#cards) {
      const perSecond = latest?.perSecond[step] ?? null;
      now.replaceChildren(perSecond === null ? '–' : rate(perSecond), element('small', {}, [' /s']));
      const valuesOf = (value: (sample: (typeof samples)[number]) => number | null) =>
        samples.map((sample) => ({ at: sample.at, value: value(sample) }));
      rates.draw([{ name: 'rate', points: valuesOf((sample) => sample.perSecond[step]) }], at);
      latencies.draw(
        PERCENTILES.map((name) => ({ name, points: valuesOf((sample) => sample.latency[step]?.[name] ?? null) })),
        at,
      );
    }
  }
}
