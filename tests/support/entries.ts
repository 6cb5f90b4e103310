import { entryTag } from '../../src/ordering/tag';
import type { Entry } from '../../src/protocol/entry';
import { GENESIS, type Mark } from '../../src/protocol/positions';

interface EntryDraft {
  readonly after?: Mark;
  readonly epoch?: number;
  readonly clientId?: string;
  readonly clientSeq?: number;
  readonly operations?: readonly unknown[];
}

/** An entry that truly continues `after`: its tag is the tag of that history. */
export function entryAfter({
  after = GENESIS,
  epoch = 1,
  clientId = 'client-1',
  clientSeq,
  operations = ['x'],
}: EntryDraft): Entry {
  const count = operations.length;
  const seq = after.seq + count;
  const identity = {
    prevTag: after.tag,
    clientId,
    clientSeq: clientSeq ?? seq,
    count,
    seq,
    operations: JSON.stringify(operations),
  };
  return { ...identity, epoch, tag: entryTag(identity), userId: 'user-1', at: 1_700_000_000_000 };
}

/** `length` entries of one operation each, one behind the other. */
export function chain(length: number, draft: EntryDraft = {}): Entry[] {
  const entries: Entry[] = [];
  let after = draft.after ?? GENESIS;
  for (let index = 0; index < length; index += 1) {
    const entry = entryAfter({ operations: [`op-${after.seq + 1}`], ...draft, after });
    entries.push(entry);
    after = entry;
  }
  return entries;
}
