import * as Y from 'yjs';

/** What is kept of updates that refer to what has not come; every joiner gets it with the snapshot. Beyond it, the oldest are given up. */
const MAX_WAITING_BYTES = 1_048_576;
/** Yjs reads all deletions that wait again with every update it applies, so a snapshot may carry few of them. */
const MAX_WAITING_DELETION_BYTES = 65_536;
/** Yjs's own cost of what waits grows with the square of the replicas that wait: 4,096 at most are some milliseconds. */
const REPLICA_WEIGHT = 256;
/** Merging costs the square of the number of updates merged at once; in groups it stays near linear. */
const MERGE_GROUP = 32;

interface Part {
  /** In the second version of Yjs's update format, as Yjs itself keeps it. */
  readonly update: Uint8Array;
  /** Replica → it is worth a try when more than this of it is there. */
  readonly missing: ReadonlyMap<number, number>;
  readonly weight: number;
}

/**
 * The parts of updates that refer to what has not come. Yjs keeps them too, but merges all of them with each that is added, and reads
 * all deletions that wait with each update: of nothing but such updates a fold would take hours.
 */
export class Waiting {
  readonly #structs = new Parts(MAX_WAITING_BYTES);
  readonly #deletions = new Parts(MAX_WAITING_DELETION_BYTES);

  /** Parts that were given up because too much waited. */
  get givenUp(): number {
    return this.#structs.givenUp + this.#deletions.givenUp;
  }

  /** Takes over what the document could not apply yet. */
  take({ store }: Y.Doc): void {
    const { pendingStructs, pendingDs } = store;
    if (pendingStructs) {
      store.pendingStructs = null;
      this.#structs.add(pendingStructs.update, pendingStructs.missing);
    }
    if (pendingDs) {
      store.pendingDs = null;
      this.#deletions.add(pendingDs, firstDeletedIn(pendingDs));
    }
  }

  /** Tries again if anything has become possible. */
  retry(doc: Y.Doc): void {
    while (this.#structs.isDue(doc) || this.#deletions.isDue(doc)) {
      const before = this.#structs.weight + this.#deletions.weight;
      this.restore(doc);
      this.take(doc);
      if (this.#structs.weight + this.#deletions.weight >= before) return;
    }
  }

  /** Hands everything back to the document, so that it is part of what is kept. Yjs finds the order among them itself. */
  restore(doc: Y.Doc): void {
    const updates = [...this.#structs.clear(), ...this.#deletions.clear()];
    if (updates.length > 0) Y.applyUpdateV2(doc, merged(updates));
  }
}

/** The newest, up to so much. */
class Parts {
  readonly #maxWeight: number;
  readonly #parts = new Set<Part>();
  weight = 0;
  givenUp = 0;

  constructor(maxWeight: number) {
    this.#maxWeight = maxWeight;
  }

  add(update: Uint8Array, missing: ReadonlyMap<number, number>): void {
    const weight = update.length + REPLICA_WEIGHT * Y.parseUpdateMetaV2(update).from.size;
    this.#parts.add({ update, missing, weight });
    this.weight += weight;
    for (const oldest of this.#parts) {
      if (this.weight <= this.#maxWeight) return;
      this.#parts.delete(oldest);
      this.weight -= oldest.weight;
      this.givenUp += 1;
    }
  }

  isDue(doc: Y.Doc): boolean {
    for (const { missing } of this.#parts) {
      for (const [client, clock] of missing) if (clock < Y.getState(doc.store, client)) return true;
    }
    return false;
  }

  clear(): Uint8Array[] {
    const updates = [...this.#parts].map(({ update }) => update);
    this.#parts.clear();
    this.weight = 0;
    return updates;
  }
}

function firstDeletedIn(update: Uint8Array): Map<number, number> {
  const first = new Map<number, number>();
  for (const [client, ranges] of Y.decodeUpdateV2(update).ds.clients) {
    let least = Number.POSITIVE_INFINITY;
    for (const { clock } of ranges) least = Math.min(least, clock);
    first.set(client, least);
  }
  return first;
}

function merged(updates: readonly Uint8Array[]): Uint8Array {
  let level = [...updates];
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let start = 0; start < level.length; start += MERGE_GROUP)
      next.push(Y.mergeUpdatesV2(level.slice(start, start + MERGE_GROUP)));
    level = next;
  }
  const [update] = level;
  if (!update) throw new Error('there was nothing to merge');
  return update;
}
