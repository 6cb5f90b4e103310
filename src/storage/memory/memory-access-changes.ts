import { isOver, type AccessChange, type AccessChanges, type NumberedChange } from '../access-changes';

export class MemoryAccessChanges implements AccessChanges {
  #changes: NumberedChange[] = [];
  #number = 0;

  async append(change: AccessChange, at: number): Promise<number> {
    return this.add(change, at);
  }

  /** The same in this turn, with what it tells of. */
  add(change: AccessChange, at: number): number {
    this.#number += 1;
    this.#changes.push({ number: this.#number, at, change });
    return this.#number;
  }

  async after(number: number, limit: number): Promise<readonly NumberedChange[]> {
    const newest = this.#changes.at(-1);
    // Asked several times per second, and almost always there is nothing.
    if (!newest || newest.number <= number) return [];
    const start = this.#changes.findIndex((change) => change.number > number);
    return this.#changes.slice(start, start + limit);
  }

  async prune(before: number): Promise<void> {
    this.#changes = this.#changes.filter((change) => !isOver(change, before));
  }
}
