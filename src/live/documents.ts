import { markOf, type Entry } from '../protocol/entry';
import { GENESIS, type Mark } from '../protocol/positions';
import type { OperationLog } from '../storage/operation-log';
import type { Snapshot, Snapshots } from '../storage/snapshots';
import type { OpenSessions } from './open-sessions';

/** What one turn of the event loop reads from the store. */
const PAGE_BYTES = 262_144;

/** A document as it can be read: the latest snapshot and everything after it. */
export interface DocumentSource {
  readonly snapshot: Snapshot | null;
  readonly entries: AsyncIterable<readonly Entry[]>;
}

/** Reads histories for those who are not in the session: through the open session if there is one, else from the store. */
export class Documents {
  readonly #openSessions: OpenSessions;
  readonly #operationLog: OperationLog;
  readonly #snapshots: Snapshots;

  constructor(services: { openSessions: OpenSessions; operationLog: OperationLog; snapshots: Snapshots }) {
    this.#openSessions = services.openSessions;
    this.#operationLog = services.operationLog;
    this.#snapshots = services.snapshots;
  }

  /** The document as ordered up to this moment. */
  async source(sessionId: string): Promise<DocumentSource> {
    const snapshot = await this.#snapshots.latest(sessionId);
    return { snapshot, entries: this.entriesAfter(sessionId, snapshot?.at ?? GENESIS) };
  }

  /** Pages of history after a mark, up to where it is when reading begins. */
  entriesAfter(sessionId: string, mark: Mark): AsyncIterable<readonly Entry[]> {
    return this.#openSessions.get(sessionId)?.entriesAfter(mark) ?? this.#storedAfter(sessionId, mark);
  }

  async *#storedAfter(sessionId: string, mark: Mark): AsyncGenerator<readonly Entry[]> {
    const target = (await this.#operationLog.head(sessionId))?.seq ?? 0;
    let after = mark;
    while (after.seq < target) {
      const page = await this.#operationLog.readAfter(sessionId, after.seq, PAGE_BYTES);
      const last = page[page.length - 1];
      if (!last) return;
      yield page;
      after = markOf(last);
    }
  }
}
