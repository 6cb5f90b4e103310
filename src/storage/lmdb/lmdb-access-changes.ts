import { isOver, type AccessChange, type AccessChanges, type NumberedChange } from '../access-changes';
import type { LmdbEngine } from './lmdb-engine';
import { accessChangesAfter, appendAccessChange, type Tables } from './lmdb-tables';

/** Rows looked at, and removed, in one go: a few milliseconds of the main thread. */
const PRUNE_ROWS = 1_000;

export class LmdbAccessChanges implements AccessChanges {
  readonly #engine: LmdbEngine;

  constructor(engine: LmdbEngine) {
    this.#engine = engine;
  }

  append(change: AccessChange, at: number): Promise<number> {
    // On disk whatever the durability: a door that was shut must not be open again after a loss of power.
    return this.#engine.write((tables) => appendAccessChange(tables, change, at), { isOnDisk: true });
  }

  after(number: number, limit: number): Promise<readonly NumberedChange[]> {
    return this.#engine.read((tables) => page(tables, number, limit));
  }

  async prune(before: number): Promise<void> {
    let number = 0;
    for (;;) {
      const from = number;
      const rows = await this.#engine.read((tables) => page(tables, from, PRUNE_ROWS));
      const over = rows.filter((row) => isOver(row, before));
      if (over.length > 0) {
        await this.#engine.write((tables) => {
          for (const row of over) void tables.accessChanges.remove(row.number);
        });
      }
      const last = rows.at(-1);
      if (!last || rows.length < PRUNE_ROWS) return;
      number = last.number;
    }
  }
}

const page = (tables: Tables, number: number, limit: number): NumberedChange[] => [
  ...accessChangesAfter(tables, number, limit),
];
