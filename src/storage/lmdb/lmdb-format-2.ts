import type { Database } from 'lmdb';
import type { Entry } from '../../protocol/entry';
import { putEntries, type InHistory, type Tables } from './lmdb-tables';

/** In format 1 every entry had a row of its own, in the table that has stretches now. */
type EntryRow = readonly [
  count: number,
  epoch: number,
  prevTag: string,
  tag: string,
  clientId: string,
  clientSeq: number,
  userId: string,
  at: number,
  operations: string,
];

/** Rows rewritten before the next are read. */
const PIECE_ROWS = 1_000;

/** From format 1 to 2: entries of a history are gathered into stretches. */
export function gatherEntries(tables: Tables): void {
  const rows = tables.entries as unknown as Database<EntryRow, InHistory<number>>;
  let after: InHistory<number> = [0, 0];
  for (;;) {
    const piece = [...rows.getRange({ start: after, exclusiveStart: true, limit: PIECE_ROWS })];
    const last = piece[piece.length - 1];
    if (!last) return;
    after = last.key;
    const histories = new Map<number, Entry[]>();
    for (const { key, value } of piece) {
      const [history, seq] = key;
      const [count, epoch, prevTag, tag, clientId, clientSeq, userId, at, operations] = value;
      const entry = { epoch, seq, count, prevTag, tag, clientId, clientSeq, userId, at, operations };
      const entries = histories.get(history);
      if (entries) entries.push(entry);
      else histories.set(history, [entry]);
      void rows.remove(key);
    }
    for (const [history, entries] of histories) putEntries(tables, history, entries);
  }
}
