import { GENESIS, type Mark } from '../../protocol/positions';
import type { Snapshot, Snapshots } from '../snapshots';
import type { LmdbEngine } from './lmdb-engine';
import { getHead, putHead, tagAt } from './lmdb-tables';

export class LmdbSnapshots implements Snapshots {
  readonly #engine: LmdbEngine;

  constructor(engine: LmdbEngine) {
    this.#engine = engine;
  }

  latest(sessionId: string): Promise<Snapshot | null> {
    return this.#engine.read((tables) => {
      const head = getHead(tables, sessionId);
      const payload = head && tables.snapshots.get(head.history);
      return payload ? { at: head.snapshot, payload } : null;
    });
  }

  latestMark(sessionId: string): Promise<Mark> {
    return this.#engine.read((tables) => getHead(tables, sessionId)?.snapshot ?? GENESIS);
  }

  put(sessionId: string, { at, payload }: Snapshot): Promise<boolean> {
    return this.#engine.write((tables) => {
      const head = getHead(tables, sessionId);
      if (!head || tagAt(tables, head, at.seq) !== at.tag || at.seq < head.snapshot.seq) return false;
      putHead(tables, sessionId, { ...head, snapshot: { seq: at.seq, tag: at.tag } });
      void tables.snapshots.put(head.history, payload);
      return true;
    });
  }
}
