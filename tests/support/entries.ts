import { entryTag } from '../../src/ordering/tag';
import type { Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';

type EntryFields = Pick<Entry, 'epoch' | 'clientId' | 'clientSeq' | 'userId' | 'at' | 'count'>;

/** What a test cares about. */
interface EntryDraft extends Partial<EntryFields> {
  readonly after?: Mark;
  /** Or as the JSON text that is stored. */
  readonly operations?: readonly unknown[] | string;
}

/** An entry that truly continues `after`: its tag is the tag of that history. */
export function entryAfter(draft: EntryDraft): Entry {
  const { after = GENESIS, epoch = 1, clientId = 'client-1', userId = 'user-1', at = 1_700_000_000_000 } = draft;
  const count = draft.count ?? (Array.isArray(draft.operations) ? draft.operations.length : 1);
  const seq = after.seq + count;
  const operations = draft.operations ?? Array.from({ length: count }, (_, index) => `op-${after.seq + index + 1}`);
  const identity = {
    prevTag: after.tag,
    clientId,
    clientSeq: draft.clientSeq ?? seq,
    count,
    seq,
    operations: typeof operations === 'string' ? operations : JSON.stringify(operations),
  };
  return { ...identity, epoch, tag: entryTag(identity), userId, at };
}

/** `length` entries in a row, of one operation each unless the draft says otherwise. */
export function chain(length: number, draft: EntryDraft = {}): Entry[] {
  const entries: Entry[] = [];
  let after = draft.after ?? GENESIS;
  while (entries.length < length) {
    const entry = entryAfter({ ...draft, after });
    entries.push(entry);
    after = entry;
  }
  return entries;
}
