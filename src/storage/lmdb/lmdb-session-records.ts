import { FlowError } from '../../protocol/errors';
import { isSameMark, type Mark } from '../../protocol/positions';
import { markBefore, markOf, type Entry } from '../../protocol/entry';
import type { SessionRecord, SessionRecords } from '../session-records';
import { beginCopy, COPY_ENTRIES, demandCopy, endCopy, giveUpCopy } from './lmdb-copies';
import type { LmdbEngine } from './lmdb-engine';
import {
  EVERYONE,
  entriesAfter,
  getHead,
  getRecord,
  newHistory,
  putEntries,
  putHead,
  putRecord,
  putRole,
  rolesOf,
  userKey,
  type Head,
  type Tables,
} from './lmdb-tables';

/** Records are written on behalf of people who wait for them, and are on disk whatever the durability. */
const ON_DISK = { isOnDisk: true };

export class LmdbSessionRecords implements SessionRecords {
  readonly #engine: LmdbEngine;

  constructor(engine: LmdbEngine) {
    this.#engine = engine;
  }

  create(record: SessionRecord): Promise<boolean> {
    return this.#engine.write((tables) => {
      if (tables.records.doesExist(record.sessionId)) return false;
      addSession(tables, record, newHistory(tables));
      return true;
    }, ON_DISK);
  }

  get(sessionId: string): Promise<SessionRecord | null> {
    return this.#engine.read((tables) => getRecord(tables, sessionId));
  }

  update(
    sessionId: string,
    change: Partial<Pick<SessionRecord, 'title' | 'updatedAt' | 'closedAt'>>,
  ): Promise<SessionRecord | null> {
    return this.#engine.write((tables) => {
      const record = getRecord(tables, sessionId);
      if (!record) return null;
      const changed = { ...record, ...change };
      putRecord(tables, changed);
      if (changed.closedAt !== undefined) removeListings(tables, sessionId);
      return changed;
    }, ON_DISK);
  }

  list(query: { after?: string; limit: number; userId?: string }): Promise<readonly SessionRecord[]> {
    const { after = '', limit, userId } = query;
    const user = userId === undefined ? EVERYONE : userKey(userId);
    return this.#engine.read((tables) => {
      const range = { start: [user, after], end: [user, AFTER_ALL_IDS], exclusiveStart: true, limit };
      const listed: SessionRecord[] = [];
      for (const [, sessionId] of tables.listings.getKeys(range)) {
        const record = getRecord(tables, sessionId);
        if (record) listed.push(record);
      }
      return listed;
    });
  }

  /**
   * Entries are copied in pieces under a history number that no session shows yet, so that a long history does not hold up the
   * event loop; the last transaction makes them a session. What breaks off is removed, at the next start if not now.
   */
  async copy(sourceId: string, record: SessionRecord): Promise<boolean> {
    if (await this.get(record.sessionId)) return false;
    const source = await this.#engine.read((tables) => {
      const head = getHead(tables, sourceId);
      return head && { head, payload: tables.snapshots.get(head.history) };
    });
    if (!source) throw new FlowError('SESSION_NOT_FOUND');
    const { history } = await this.#engine.write(beginCopy);
    let isShown = false;
    try {
      isShown = await this.#fill(source, history, record);
      return isShown;
    } finally {
      // Whatever became of it is told by what it was done for.
      if (!isShown) await giveUpCopy(this.#engine, history).catch(() => {});
    }
  }

  async #fill({ head, payload }: Source, history: number, record: SessionRecord): Promise<boolean> {
    let at = head.snapshot;
    while (at.seq < head.seq) {
      const from = at;
      at = await this.#engine.write((tables) => copyEntries(tables, head, from, history));
    }
    return this.#engine.write((tables) => {
      if (tables.records.doesExist(record.sessionId)) return false;
      endCopy(tables, history);
      addSession(tables, record, { ...head, history, epoch: 1 });
      if (payload) void tables.snapshots.put(history, payload);
      return true;
    }, ON_DISK);
  }
}

interface Source {
  readonly head: Head;
  /** Of the latest snapshot, if there is one. */
  readonly payload: Uint8Array | undefined;
}

/** Sorts after every character of a session id. */
const AFTER_ALL_IDS = '\x7f';

function addSession(tables: Tables, record: SessionRecord, head: Head): void {
  const { sessionId, createdBy } = record;
  putHead(tables, sessionId, head);
  putRecord(tables, record);
  putRole(tables, sessionId, createdBy, 'owner');
  for (const user of [EVERYONE, userKey(createdBy)]) void tables.listings.put([user, sessionId], true);
}

function removeListings(tables: Tables, sessionId: string): void {
  const users = [...rolesOf(tables, sessionId)].map(([userId]) => userKey(userId));
  for (const user of [EVERYONE, ...users]) void tables.listings.remove([user, sessionId]);
}

/** Copies the next piece after `at` and answers where it ends. */
function copyEntries(tables: Tables, source: Head, at: Mark, history: number): Mark {
  demandCopy(tables, history);
  const piece: Entry[] = [];
  for (const entry of entriesAfter(tables, source.history, at.seq)) {
    if (piece.length === COPY_ENTRIES || entry.seq > source.seq) break;
    piece.push(entry);
  }
  const [first] = piece;
  const last = piece[piece.length - 1];
  if (!first || !last || !isSameMark(markBefore(first), at)) {
    throw new FlowError('STORE_UNAVAILABLE', 'The session was pruned while it was copied.', { retryAfterMs: 1_000 });
  }
  // The copy's epochs start anew, so its entries must not claim later ones. Tags do not cover the epoch.
  putEntries(
    tables,
    history,
    piece.map((entry) => ({ ...entry, epoch: 1 })),
  );
  return markOf(last);
}
