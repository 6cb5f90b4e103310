import type { Mark } from './positions';

/**
 * An accepted batch, as it is ordered, stored and delivered: one unit from the append to the last reader.
 * `seq` and `clientSeq` belong to its last operation, so it covers `seq - count + 1 … seq`.
 */
export interface Entry {
  readonly epoch: number;
  readonly seq: number;
  /** Number of operations. */
  readonly count: number;
  /** Tag of the history before this entry. */
  readonly prevTag: string;
  /** Tag of the history with this entry: see `entryTag`. */
  readonly tag: string;
  readonly clientId: string;
  readonly clientSeq: number;
  readonly userId: string;
  /** When it was ordered, milliseconds since 1970. For people, never for logic. */
  readonly at: number;
  /** The operations as one JSON array, exactly as ordered: what is hashed, stored and compared. */
  readonly operations: string;
}

/** An entry on the wire. */
export interface WireEntry {
  readonly epoch: number;
  readonly seq: number;
  readonly clientId: string;
  readonly clientSeq: number;
  readonly userId: string;
  readonly at: number;
  readonly operations: unknown[];
}

/** The last batch a client got accepted; enough to recognise it when it comes again. */
export interface ClientRow {
  /** Of the batch's last operation. */
  readonly clientSeq: number;
  /** Of the batch's last operation. */
  readonly seq: number;
  readonly count: number;
  readonly prevTag: string;
  readonly tag: string;
}

export const prevSeqOf = (entry: Entry): number => entry.seq - entry.count;

export const markBefore = (entry: Entry): Mark => ({ seq: prevSeqOf(entry), tag: entry.prevTag });

export const markOf = (entry: Entry): Mark => ({ seq: entry.seq, tag: entry.tag });

export function toWireEntry(entry: Entry): WireEntry {
  const { epoch, seq, clientId, clientSeq, userId, at } = entry;
  return { epoch, seq, clientId, clientSeq, userId, at, operations: JSON.parse(entry.operations) as unknown[] };
}

/** The same as JSON text; the operations are text already. */
export function wireEntryText({ epoch, seq, clientId, clientSeq, userId, at, operations }: Entry): string {
  return `{"epoch":${epoch},"seq":${seq},"clientId":"${clientId}","clientSeq":${clientSeq},"userId":${JSON.stringify(userId)},"at":${at},"operations":${operations}}`;
}

/** Bytes an entry is counted with in rings, flushes and limits: its operations plus a flat share for the rest. */
export const weightOf = (entry: Entry): number => entry.operations.length + ENTRY_OVERHEAD_BYTES;

/** Ids, numbers and object headers of an entry in memory; a rough figure, only used for bounds. */
const ENTRY_OVERHEAD_BYTES = 256;
