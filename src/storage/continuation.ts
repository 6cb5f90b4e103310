import { markBefore, type Entry } from '../protocol/entry';
import { isSameMark, type Position } from '../protocol/positions';
import type { SaveResult, SessionSave } from './operation-log';

/** What a store holds of a session at the moment a save is judged. */
export interface StoredHistory {
  readonly position: Position;
  /** Tag of the stored entry that ends at `seq`. */
  readonly tagAt: (seq: number) => string | null;
}

type Verdict =
  /** `fresh` are the entries still to be written; those before them are stored already, with the same tags. */
  { readonly status: 'continues'; readonly fresh: readonly Entry[] } | Exclude<SaveResult, { status: 'saved' }>;

/** ST2, the same for every engine. Only sound inside the write transaction that acts on it. */
export function judgeSave({ position, tagAt }: StoredHistory, { epoch, entries }: SessionSave): Verdict {
  if (epoch !== position.epoch || epoch === 0) return { status: 'fenced', epoch: position.epoch };
  const head = { seq: position.seq, tag: position.tag };
  if (!isChain(entries)) return { status: 'diverged', head };

  const fresh = entries.filter((entry) => entry.seq > head.seq);
  // Tags are chained: the last entry that is stored already speaks for all before it.
  const lastStored = entries[entries.length - fresh.length - 1];
  if (lastStored && tagAt(lastStored.seq) !== lastStored.tag) return { status: 'diverged', head };
  const firstFresh = fresh[0];
  if (firstFresh && !isSameMark(markBefore(firstFresh), head)) return { status: 'diverged', head };
  return { status: 'continues', fresh };
}

function isChain(entries: readonly Entry[]): boolean {
  return entries.every((entry, index) => {
    const before = entries[index - 1];
    return entry.count > 0 && (!before || isSameMark(markBefore(entry), { seq: before.seq, tag: before.tag }));
  });
}
