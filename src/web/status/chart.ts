import { element } from '../dom';
import { KEPT_MS } from './series';
import { duration, roundUp } from './words';

export interface Point {
  readonly at: number;
  readonly value: number | null;
}

export interface Line {
  /** In the legend, and in the class of the line. */
  readonly name: string;
  readonly points: readonly Point[];
}

interface ChartOptions {
  readonly title: string;
  readonly names: readonly string[];
  readonly format: (value: number) => string;
  /** What the scale never falls below, so that noise does not look like mountains. */
  readonly leastTop: number;
  /** Fills the ground under the first line. */
  readonly isFilled: boolean;
}

const SVG = 'http://www.w3.org/2000/svg';
/** The picture's own units; it is stretched to its place. */
const WIDTH = 600;
const HEIGHT = 100;

/** What the width shows: what there is, within these bounds. */
const SHOWN_MS = { least: 60_000, most: KEPT_MS };

/** Lines over time, with the value each has now. */
export class Chart {
  readonly node: HTMLElement;
  readonly #options: ChartOptions;
  readonly #values = new Map<string, HTMLElement>();
  readonly #paths = new Map<string, SVGPathElement>();
  readonly #ground: SVGPathElement;
  readonly #picture: SVGSVGElement;
  readonly #top = element('span', { class: 'top', 'aria-hidden': 'true' });
  readonly #since = element('span', { class: 'since', 'aria-hidden': 'true' });

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#picture = make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    for (const y of [0, HEIGHT / 2, HEIGHT]) {
      this.#picture.append(make('path', { class: 'grid', d: `M0 ${y}H${WIDTH}` }));
    }
    this.#ground = make('path', { class: 'ground' });
    this.#picture.append(this.#ground);
    for (const name of options.names) {
      const path = make('path', { class: `line line-${name}` });
      this.#paths.set(name, path);
      this.#picture.append(path);
      this.#values.set(name, element('dd'));
    }
    const legend = options.names.map((name) =>
      element('div', {}, [element('dt', { class: `key key-${name}` }, [name]), this.#values.get(name) ?? null]),
    );
    this.node = element('figure', { class: 'chart' }, [
      element('figcaption', {}, [element('span', {}, [options.title]), element('dl', {}, legend)]),
      element('div', { class: 'picture muted' }, [this.#picture, this.#top, this.#since]),
    ]);
  }

  draw(lines: readonly Line[], now: number): void {
    const { format, leastTop, title, isFilled } = this.#options;
    const values = lines.flatMap(({ points }) => points.flatMap(({ value }) => value ?? []));
    const highest = Math.max(0, ...values);
    const top = roundUp(Math.max(highest, leastTop));
    const shownMs = Math.min(SHOWN_MS.most, Math.max(SHOWN_MS.least, now - (lines[0]?.points[0]?.at ?? now)));
    this.#top.textContent = format(top);
    this.#since.textContent = `${duration(shownMs / 1_000)} ago`;
    for (const [index, { name, points }] of lines.entries()) {
      const runs = runsOf(points, { top, now, shownMs });
      this.#paths.get(name)?.setAttribute('d', runs.map(lineOf).join(''));
      if (isFilled && index === 0) this.#ground.setAttribute('d', runs.map(groundOf).join(''));
      const latest = points.at(-1)?.value ?? null;
      const shown = this.#values.get(name);
      if (shown) shown.textContent = latest === null ? '–' : format(latest);
    }
    const told = lines.map(({ name }) => `${name} ${this.#values.get(name)?.textContent ?? ''}`).join(', ');
    this.#picture.setAttribute(
      'aria-label',
      `${title}: now ${told}; highest since ${this.#since.textContent} ${format(highest)}`,
    );
  }
}

type Run = ReadonlyArray<readonly [x: number, y: number]>;

/** The points as places in the picture; where a value is missing, a line ends and another begins. */
function runsOf(points: readonly Point[], { top, now, shownMs }: { top: number; now: number; shownMs: number }): Run[] {
  const runs: Array<Array<readonly [number, number]>> = [[]];
  for (const { at, value } of points) {
    if (value === null) runs.push([]);
    else runs.at(-1)?.push([WIDTH * (1 - (now - at) / shownMs), HEIGHT * (1 - value / top)]);
  }
  return runs.filter((run) => run.length > 0);
}

const written = (run: Run): string => run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L');
/** A single point is a dot, by its round ends. */
const lineOf = (run: Run): string => `M${written(run)}${run.length === 1 ? 'h0.01' : ''}`;
const groundOf = (run: Run): string => `M${run[0]?.[0].toFixed(1)} ${HEIGHT}L${written(run)}V${HEIGHT}Z`;

function make<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
