import { markOf, weightOf, type ClientRow, type Entry } from '../../protocol/entry';
import type { Position } from '../../protocol/positions';
import { judgeSave } from '../continuation';
import type { Durability, OperationLog, SaveResult, SessionSave } from '../operation-log';
import type { LmdbEngine } from './lmdb-engine';
import {
  entriesAfter,
  getClient,
  getHead,
  putClient,
  putEntries,
  putHead,
  removeEntries,
  tagAt,
  type Head,
  type Tables,
} from './lmdb-tables';

/** Entries removed per transaction: about a millisecond of the main thread. */
const PRUNE_ENTRIES = 500;

export class LmdbOperationLog implements OperationLog {
  readonly durability: Durability;
  readonly #engine: LmdbEngine;

  constructor(engine: LmdbEngine, durability: Durability) {
    this.#engine = engine;
    this.durability = durability;
  }

  head(sessionId: string): Promise<Position | null> {
    return this.#engine.read((tables) => {
      const head = getHead(tables, sessionId);
      return head && positionOf(head);
    });
  }

  openEpoch(sessionId: string, seen: number, above: number): Promise<Position | null> {
    return this.#engine.write(
      (tables) => {
        const head = getHead(tables, sessionId);
        if (head?.epoch !== seen) return null;
        const opened = { ...head, epoch: Math.max(seen, above) + 1 };
        putHead(tables, sessionId, opened);
        return positionOf(opened);
      },
      { isOnDisk: true },
    );
  }

  save(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    return this.#engine.write((tables) => saves.map((save) => saveSession(tables, save)));
  }

  readAfter(sessionId: string, afterSeq: number, maxBytes: number): Promise<readonly Entry[]> {
    return this.#engine.read((tables) => {
      const head = getHead(tables, sessionId);
      const page: Entry[] = [];
      if (!head) return page;
      let bytes = 0;
      for (const entry of entriesAfter(tables, head.history, afterSeq)) {
        bytes += weightOf(entry);
        if (bytes > maxBytes && page.length > 0) break;
        page.push(entry);
        if (bytes > maxBytes) break;
      }
      return page;
    });
  }

  tagAt(sessionId: string, seq: number): Promise<string | null> {
    return this.#engine.read((tables) => {
      const head = getHead(tables, sessionId);
      return head && tagAt(tables, head, seq);
    });
  }

  clientRow(sessionId: string, clientId: string): Promise<ClientRow | null> {
    return this.#engine.read((tables) => {
      const head = getHead(tables, sessionId);
      return head && getClient(tables, head.history, clientId);
    });
  }

  async prune(sessionId: string, seq: number, before: number): Promise<number> {
    let removed = 0;
    for (;;) {
      const count = await this.#engine.write((tables) => {
        const head = getHead(tables, sessionId);
        if (!head) return 0;
        return removeEntries(tables, head.history, Math.min(seq, head.snapshot.seq), before, PRUNE_ENTRIES);
      });
      removed += count;
      if (count < PRUNE_ENTRIES) return removed;
    }
  }
}

function saveSession(tables: Tables, save: SessionSave): SaveResult {
  const { sessionId, entries } = save;
  const head = getHead(tables, sessionId);
  if (!head) return { status: 'fenced', epoch: 0 };
  const verdict = judgeSave({ position: positionOf(head), tagAt: (seq) => tagAt(tables, head, seq) }, save);
  if (verdict.status !== 'continues') return verdict;

  const lastOfClient = new Map<string, Entry>();
  putEntries(tables, head.history, verdict.fresh);
  for (const entry of verdict.fresh) lastOfClient.set(entry.clientId, entry);
  for (const entry of lastOfClient.values()) putClient(tables, head.history, entry);
  const last = verdict.fresh[verdict.fresh.length - 1];
  const saved = last ? markOf(last) : { seq: head.seq, tag: head.tag };
  // Also when all of it was stored before: whoever wrote it may have died before its sync, and an empty transaction syncs nothing (ST3).
  if (entries.length > 0) putHead(tables, sessionId, { ...head, ...saved });
  return { status: 'saved', head: saved };
}

const positionOf = ({ epoch, seq, tag }: Head): Position => ({ epoch, seq, tag });
