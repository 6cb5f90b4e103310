import * as Y from 'yjs';

type DeleteSet = ReturnType<typeof Y.createDeleteSet>;

interface Range {
  readonly clock: number;
  readonly length: number;
}

/**
 * What another holder of a Yjs document is known to have, gathered from the updates it has shown. Never too much: what is told
 * twice does no harm, what is not told is lost.
 */
export class YjsKnowledge {
  /** Per replica, everything below this clock is known. */
  readonly #vector: Map<number, number>;
  /** Known ranges that do not join on yet. */
  readonly #islands = new Map<number, Range[]>();
  #deleted: DeleteSet[] = [];

  /** `stateVector`: of the snapshot's whole, where the snapshot itself is only the part that was asked for. */
  constructor(snapshot: Uint8Array | null, stateVector: Uint8Array | null) {
    this.#vector = stateVector ? Y.decodeStateVector(stateVector) : new Map<number, number>();
    if (snapshot) this.add(snapshot);
  }

  add(update: Uint8Array): void {
    const { structs, ds } = Y.decodeUpdate(update);
    for (const struct of structs) {
      if (!(struct instanceof Y.Skip)) this.#cover(struct.id.client, { clock: struct.id.clock, length: struct.length });
    }
    if (ds.clients.size > 0) this.#deleted.push(ds);
  }

  /** What `doc` has beyond this, as one update; null: nothing. */
  lackedOf(doc: Y.Doc): Uint8Array | null {
    const hasMore = [...Y.decodeStateVector(Y.encodeStateVector(doc))].some(
      ([client, clock]) => clock > this.#clockOf(client),
    );
    if (!hasMore && this.#coversDeletions(Y.createDeleteSetFromStructStore(doc.store))) return null;
    return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(this.#vector));
  }

  #clockOf(client: number): number {
    return this.#vector.get(client) ?? 0;
  }

  #cover(client: number, range: Range): void {
    if (range.clock > this.#clockOf(client)) {
      this.#islands.set(client, [...(this.#islands.get(client) ?? []), range]);
      return;
    }
    this.#vector.set(client, Math.max(this.#clockOf(client), range.clock + range.length));
    const islands = this.#islands.get(client);
    if (!islands) return;
    const reached = islands.filter(({ clock }) => clock <= this.#clockOf(client));
    if (reached.length === 0) return;
    this.#islands.set(
      client,
      islands.filter(({ clock }) => clock > this.#clockOf(client)),
    );
    for (const island of reached) this.#cover(client, island);
  }

  #coversDeletions(deletions: DeleteSet): boolean {
    const known = Y.mergeDeleteSets(this.#deleted);
    this.#deleted = [known];
    for (const [client, ranges] of deletions.clients) {
      // Both are sorted and merged, so a covered range lies in one known range.
      const knownRanges = known.clients.get(client) ?? [];
      let index = 0;
      for (const { clock, len } of ranges) {
        while (index < knownRanges.length && endOf(knownRanges[index]) < clock + len) index += 1;
        const candidate = knownRanges[index];
        if (!candidate || candidate.clock > clock) return false;
      }
    }
    return true;
  }
}

const endOf = (range: { clock: number; len: number } | undefined): number => (range ? range.clock + range.len : 0);
