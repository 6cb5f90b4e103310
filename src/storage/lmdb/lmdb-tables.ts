import type { Database, RootDatabase } from 'lmdb';
import type { ClientRow, Entry } from '../../protocol/entry';
import { GENESIS, type Mark, type Position } from '../../protocol/positions';
import type { AccessChange, NumberedChange } from '../access-changes';
import type { SessionRecord } from '../session-records';

/** Rows are tuples: MessagePack then stores no field names. The order of their fields is part of the format (ST11). */
type HeadRow = readonly [
  history: number,
  epoch: number,
  seq: number,
  tag: string,
  snapshotSeq: number,
  snapshotTag: string,
];
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
type RecordRow = readonly [
  title: string,
  format: SessionRecord['format'],
  createdBy: string,
  createdAt: number,
  updatedAt: number,
  closedAt: number | null,
];
export type LeaseRow = readonly [text: string, endsAt: number, place: number];
type AccessChangeRow = readonly [at: number, change: AccessChange];
type ClientTuple = readonly [clientSeq: number, seq: number, count: number, prevTag: string, tag: string];
/** Key of what belongs to one history: entries by the seq of their last operation, clients by their id. */
type InHistory<Key> = [history: number, key: Key];

/**
 * The tables of the store. A session's entries, clients and snapshot hang on a history number instead of its id: keys are
 * shorter, and a copy can be filled piece by piece before the session that shows it exists.
 */
export interface Tables {
  /** `format`, `histories` and `accessChanges` (the last numbers given out). */
  readonly meta: Database<number, string>;
  readonly records: Database<RecordRow, string>;
  /** Open sessions, once under '' and once under their creator. */
  readonly listings: Database<true, [owner: string, sessionId: string]>;
  readonly heads: Database<HeadRow, string>;
  readonly entries: Database<EntryRow, InHistory<number>>;
  readonly clients: Database<ClientTuple, InHistory<string>>;
  /** Payload of the latest snapshot; its position is in the head, so that positions are checked without reading it. */
  readonly snapshots: Database<Uint8Array, number>;
  /** Who has the store open. Nothing in it outlives its lease, so that its rows are no part of the format. */
  readonly instances: Database<LeaseRow, string>;
  /** By number. */
  readonly accessChanges: Database<AccessChangeRow, number>;
}

export function openTables(root: RootDatabase): Tables {
  return {
    meta: root.openDB({ name: 'meta' }),
    records: root.openDB({ name: 'records' }),
    listings: root.openDB({ name: 'listings' }),
    heads: root.openDB({ name: 'heads' }),
    entries: root.openDB({ name: 'entries' }),
    clients: root.openDB({ name: 'clients' }),
    snapshots: root.openDB({ name: 'snapshots', encoding: 'binary' }),
    instances: root.openDB({ name: 'instances' }),
    accessChanges: root.openDB({ name: 'accessChanges' }),
  };
}

/** Where a session's history stands. */
export interface Head extends Position {
  readonly history: number;
  /** Position of the latest snapshot; GENESIS: there is none. */
  readonly snapshot: Mark;
}

export function getRecord({ records }: Tables, sessionId: string): SessionRecord | null {
  const row = records.get(sessionId);
  if (!row) return null;
  const [title, format, createdBy, createdAt, updatedAt, closedAt] = row;
  return { sessionId, title, format, createdBy, createdAt, updatedAt, ...(closedAt === null ? {} : { closedAt }) };
}

export function putRecord({ records }: Tables, record: SessionRecord): void {
  const { sessionId, title, format, createdBy, createdAt, updatedAt, closedAt = null } = record;
  void records.put(sessionId, [title, format, createdBy, createdAt, updatedAt, closedAt]);
}

export function newHistory({ meta }: Tables): Head {
  const history = (meta.get('histories') ?? 0) + 1;
  void meta.put('histories', history);
  return { history, epoch: 0, ...GENESIS, snapshot: GENESIS };
}

export function getHead({ heads }: Tables, sessionId: string): Head | null {
  const row = heads.get(sessionId);
  if (!row) return null;
  const [history, epoch, seq, tag, snapshotSeq, snapshotTag] = row;
  return { history, epoch, seq, tag, snapshot: { seq: snapshotSeq, tag: snapshotTag } };
}

export function putHead({ heads }: Tables, sessionId: string, head: Head): void {
  const { history, epoch, seq, tag, snapshot } = head;
  void heads.put(sessionId, [history, epoch, seq, tag, snapshot.seq, snapshot.tag]);
}

export function putEntry({ entries }: Tables, history: number, entry: Entry): void {
  const { seq, count, epoch, prevTag, tag, clientId, clientSeq, userId, at, operations } = entry;
  void entries.put([history, seq], [count, epoch, prevTag, tag, clientId, clientSeq, userId, at, operations]);
}

/** Entries of a history that end after `afterSeq`, read one by one as they are asked for. */
export function* entriesAfter({ entries }: Tables, history: number, afterSeq: number): Generator<Entry> {
  const range = { start: [history, afterSeq], end: [history, Number.POSITIVE_INFINITY], exclusiveStart: true };
  for (const { key, value } of entries.getRange(range)) {
    const [count, epoch, prevTag, tag, clientId, clientSeq, userId, at, operations] = value;
    yield { epoch, seq: key[1], count, prevTag, tag, clientId, clientSeq, userId, at, operations };
  }
}

export function tagAt({ entries }: Tables, { history, seq, tag, snapshot }: Head, wantedSeq: number): string | null {
  if (wantedSeq === 0) return null;
  for (const mark of [{ seq, tag }, snapshot]) if (mark.seq === wantedSeq) return mark.tag;
  return entries.get([history, wantedSeq])?.[3] ?? null;
}

export function putClient({ clients }: Tables, history: number, { clientId, ...entry }: Entry): void {
  const { clientSeq, seq, count, prevTag, tag } = entry;
  void clients.put([history, clientId], [clientSeq, seq, count, prevTag, tag]);
}

export function getClient({ clients }: Tables, history: number, clientId: string): ClientRow | null {
  const row = clients.get([history, clientId]);
  if (!row) return null;
  const [clientSeq, seq, count, prevTag, tag] = row;
  return { clientSeq, seq, count, prevTag, tag };
}

/** Inside the transaction that makes the change, where it is one of this store. Answers its number. */
export function appendAccessChange({ meta, accessChanges }: Tables, change: AccessChange, at: number): number {
  const number = (meta.get('accessChanges') ?? 0) + 1;
  void meta.put('accessChanges', number);
  void accessChanges.put(number, [at, change]);
  return number;
}

export function* accessChangesAfter(
  { accessChanges }: Tables,
  after: number,
  limit: number,
): Generator<NumberedChange> {
  for (const { key, value } of accessChanges.getRange({ start: after + 1, limit })) {
    const [at, change] = value;
    yield { number: key, at, change };
  }
}

/** Removes the first entries of a history up to `seq`, at most `limit` of them, stopping at one that is not older than `before`. */
export function removeEntries(tables: Tables, history: number, seq: number, before: number, limit: number): number {
  const doomed: number[] = [];
  for (const entry of entriesAfter(tables, history, 0)) {
    if (entry.seq > seq || entry.at >= before || doomed.length === limit) break;
    doomed.push(entry.seq);
  }
  for (const doomedSeq of doomed) void tables.entries.remove([history, doomedSeq]);
  return doomed.length;
}
