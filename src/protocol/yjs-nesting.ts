/** An item stands inside a shared type, or beside another item and so inside the same type; null: in a root. */
export type Anchor = { readonly isInside: boolean; readonly client: number; readonly clock: number } | null;

interface Item {
  readonly clock: number;
  readonly isType: boolean;
  readonly anchor: Anchor;
  /** How many types of the update it is inside; -1: not known yet. */
  depth: number;
}

/** How deep the shared types of one update are inside each other. What they stand in outside of it does not count. */
export class TypeNesting {
  readonly #items = new Map<number, Item[]>();
  #types = 0;

  /** In the order of a replica's clocks. */
  add(client: number, clock: number, isType: boolean, anchor: Anchor): void {
    if (isType) this.#types += 1;
    const ofClient = this.#items.get(client);
    const item = { clock, isType, anchor, depth: -1 };
    if (ofClient) ofClient.push(item);
    else this.#items.set(client, [item]);
  }

  isDeeperThan(depth: number): boolean {
    // So few cannot be.
    if (this.#types <= depth) return false;
    for (const items of this.#items.values()) {
      for (const item of items) if (item.isType && this.#depthOf(item) >= depth) return true;
    }
    return false;
  }

  /** Without recursion: chains may be as long as the update. */
  #depthOf(item: Item): number {
    const chain: Item[] = [];
    let next: Item | undefined = item;
    while (next && next.depth < 0) {
      // Whoever meets it again on this way goes in circles; Yjs never gets to apply that.
      next.depth = 0;
      chain.push(next);
      next = next.anchor ? this.#at(next.anchor.client, next.anchor.clock) : undefined;
    }
    for (let known = next; chain.length > 0; ) {
      const waiting: Item | undefined = chain.pop();
      if (!waiting) break;
      waiting.depth = (known?.depth ?? 0) + (known && waiting.anchor?.isInside ? 1 : 0);
      known = waiting;
    }
    return item.depth;
  }

  /** The item that covers a clock. */
  #at(client: number, clock: number): Item | undefined {
    const items = this.#items.get(client) ?? [];
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((items[middle]?.clock ?? 0) <= clock) low = middle + 1;
      else high = middle;
    }
    return items[low - 1];
  }
}
