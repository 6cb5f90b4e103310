import { hash } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import { weightOf, type ClientRow, type Entry } from '../../protocol/entry';
import { GENESIS, type Mark, type Position } from '../../protocol/positions';
import type { LinkAccess, Role } from '../../protocol/schemas';
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
/** Entries that were saved together: a row of its own for each costs more than the entry. */
type StretchRow = readonly [epoch: number, prevTag: string, entries: readonly EntryTuple[]];
type EntryTuple = readonly [
  count: number,
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
  link: LinkAccess,
];
/** Bounds of a stretch: what is read of one that nobody wants costs little. */
const STRETCH_ENTRIES = 64;
const STRETCH_BYTES = 32_768;
export type RoleRow = readonly [userId: string, role: Role];
export type LeaseRow = readonly [text: string, endsAt: number, place: number];
type AccessChangeRow = readonly [at: number, change: AccessChange];
type ClientTuple = readonly [clientSeq: number, seq: number, count: number, prevTag: string, tag: string];
/** Key of what belongs to one history: stretches by the seq of their last operation, clients by their id. */
export type InHistory<Key> = [history: number, key: Key];

/**
 * The tables of the store. A session's entries, clients and snapshot hang on a history number instead of its id: keys are
 * shorter, and a copy can be filled piece by piece before the session that shows it exists.
 */
export interface Tables {
  /** `format`, `histories` and `accessChanges` (the last numbers given out). */
  readonly meta: Database<number, string>;
  readonly records: Database<RecordRow, string>;
  /** Open sessions, once under '' and once under each user who has a role in them. */
  readonly listings: Database<true, [user: string, sessionId: string]>;
  readonly roles: Database<RoleRow, [sessionId: string, user: string]>;
  readonly heads: Database<HeadRow, string>;
  readonly entries: Database<StretchRow, InHistory<number>>;
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
    roles: root.openDB({ name: 'roles' }),
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
  const [title, format, createdBy, createdAt, updatedAt, closedAt, link] = row;
  const record = { sessionId, title, format, createdBy, link, createdAt, updatedAt };
  return closedAt === null ? record : { ...record, closedAt };
}

export function putRecord({ records }: Tables, record: SessionRecord): void {
  const { sessionId, title, format, createdBy, link, createdAt, updatedAt, closedAt = null } = record;
  void records.put(sessionId, [title, format, createdBy, createdAt, updatedAt, closedAt, link]);
}

export const EVERYONE = '';

/** A user as part of a key: names are of any length and content, keys are not. */
export const userKey = (userId: string): string => hash('sha256', userId);

export function putRole({ roles }: Tables, sessionId: string, userId: string, role: Role): void {
  void roles.put([sessionId, userKey(userId)], [userId, role]);
}

export function* rolesOf({ roles }: Tables, sessionId: string): Generator<RoleRow> {
  for (const { value } of roles.getRange({ start: [sessionId], end: [sessionId, AFTER_ALL_HASHES] })) yield value;
}

/** Sorts after every hex digit. */
const AFTER_ALL_HASHES = 'g';

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

/** Puts entries that continue each other behind what the history has. */
export function putEntries(tables: Tables, history: number, entries: readonly Entry[]): void {
  let stretch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const isFull = stretch.length === STRETCH_ENTRIES || bytes >= STRETCH_BYTES || stretch[0]?.epoch !== entry.epoch;
    if (isFull) putStretch(tables, history, stretch);
    if (isFull) [stretch, bytes] = [[], 0];
    stretch.push(entry);
    bytes += weightOf(entry);
  }
  putStretch(tables, history, stretch);
}

function putStretch({ entries }: Tables, history: number, stretch: readonly Entry[]): void {
  const [first] = stretch;
  const last = stretch[stretch.length - 1];
  if (!first || !last) return;
  const tuples = stretch.map(
    ({ count, tag, clientId, clientSeq, userId, at, operations }) =>
      [count, tag, clientId, clientSeq, userId, at, operations] as const,
  );
  void entries.put([history, last.seq], [first.epoch, first.prevTag, tuples]);
}

function* entriesOf(lastSeq: number, [epoch, firstPrevTag, tuples]: StretchRow): Generator<Entry> {
  let prevTag = firstPrevTag;
  // Keys come as floating-point numbers. With one in its `seq` an entry has another hidden class, and from then on V8 converts every new entry.
  let seq = Math.trunc(lastSeq);
  for (const [count] of tuples) seq -= count;
  for (const [count, tag, clientId, clientSeq, userId, at, operations] of tuples) {
    seq += count;
    yield { epoch, seq, count, prevTag, tag, clientId, clientSeq, userId, at, operations };
    prevTag = tag;
  }
}

/** Entries of a history that end after `afterSeq`, read stretch by stretch as they are asked for. */
export function* entriesAfter({ entries }: Tables, history: number, afterSeq: number): Generator<Entry> {
  const range = { start: [history, afterSeq], end: [history, Number.POSITIVE_INFINITY], exclusiveStart: true };
  for (const { key, value } of entries.getRange(range)) {
    for (const entry of entriesOf(key[1], value)) if (entry.seq > afterSeq) yield entry;
  }
}

export function tagAt(tables: Tables, { history, seq, tag, snapshot }: Head, wantedSeq: number): string | null {
  if (wantedSeq === 0) return null;
  for (const mark of [{ seq, tag }, snapshot]) if (mark.seq === wantedSeq) return mark.tag;
  for (const entry of entriesAfter(tables, history, wantedSeq - 1)) return entry.seq === wantedSeq ? entry.tag : null;
  return null;
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

/**
 * Removes the first entries of a history up to `seq` until one is not older than `before`, and no further stretch once `limit` are gone.
 * Answers how many it removed.
 */
export function removeEntries(tables: Tables, history: number, seq: number, before: number, limit: number): number {
  const doomed: Array<InHistory<number>> = [];
  let kept: Entry[] = [];
  let removed = 0;
  for (const { key, value } of tables.entries.getRange({
    start: [history, 0],
    end: [history, Number.POSITIVE_INFINITY],
  })) {
    const entries = [...entriesOf(key[1], value)];
    const young = entries.findIndex((entry) => entry.seq > seq || entry.at >= before);
    kept = young === -1 ? [] : entries.slice(young);
    removed += entries.length - kept.length;
    if (kept.length > 0) break;
    doomed.push(key);
    if (removed >= limit) break;
  }
  for (const key of doomed) void tables.entries.remove(key);
  // Under the key it has, which is its end.
  putStretch(tables, history, kept);
  return removed;
}
