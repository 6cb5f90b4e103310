import { seededRandom } from '../../../src/tools/seeded-random';

/** Chance from a seed: the same seed and purpose throw the same numbers everywhere. */
export class Dice {
  readonly #seed: number;
  readonly random: () => number;

  constructor(seed: number, purpose = '') {
    this.#seed = mix(seed, purpose);
    this.random = seededRandom(this.#seed);
  }

  /** Dice of their own, so that what one part throws does not change what another gets. */
  for(purpose: string): Dice {
    return new Dice(this.#seed, purpose);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.random() * items.length)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  /** Each item as often as its weight says. */
  pickWeighted<Item extends string>(weights: Readonly<Partial<Record<Item, number>>>): Item {
    const rows = Object.entries(weights) as Array<[Item, number]>;
    let left = this.random() * rows.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [item, weight] of rows) {
      left -= weight;
      if (left < 0) return item;
    }
    throw new Error('there is nothing to pick from');
  }
}

function mix(seed: number, purpose: string): number {
  let mixed = seed | 0;
  for (const character of purpose) mixed = Math.imul(mixed ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return mixed >>> 0;
}
