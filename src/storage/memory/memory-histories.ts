import type { ClientRow, Entry } from '../../protocol/entry';
import { GENESIS, type Mark } from '../../protocol/positions';
import type { Snapshot } from '../snapshots';

/** What the memory store keeps of one session beside its record. */
export interface History {
  epoch: number;
  head: Mark;
  /** In order, without a hole; the first ones may have been pruned. */
  entries: Entry[];
  readonly clients: Map<string, ClientRow>;
  snapshot: Snapshot | null;
}

/** By session id. */
export type Histories = Map<string, History>;

export const emptyHistory = (): History => ({
  epoch: 0,
  head: GENESIS,
  entries: [],
  clients: new Map(),
  snapshot: null,
});

/** Index of the first entry that ends after `seq`. */
export function indexAfter(entries: readonly Entry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry && entry.seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function tagAt({ head, snapshot, entries }: History, seq: number): string | null {
  if (seq === 0) return null;
  for (const mark of [head, snapshot?.at]) if (mark?.seq === seq) return mark.tag;
  const entry = entries[indexAfter(entries, seq) - 1];
  return entry?.seq === seq ? entry.tag : null;
}
