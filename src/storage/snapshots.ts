import type { Mark } from '../protocol/positions';

/** The document at a stored position. */
export interface Snapshot {
  /** A stored entry ends here (ST9). */
  readonly at: Mark;
  /** A Yjs update (`yjs`), or JSON text as UTF-8 (`json`). */
  readonly payload: Uint8Array;
}

/** Rejects with STORE_UNAVAILABLE when the engine cannot answer. */
export interface Snapshots {
  latest(sessionId: string): Promise<Snapshot | null>;

  /** Where the latest snapshot is, without reading it; GENESIS where there is none. */
  latestMark(sessionId: string): Promise<Mark>;

  /** Keeps the snapshot and lets older ones go. False: it names no stored position, or one below the latest snapshot. */
  put(sessionId: string, snapshot: Snapshot): Promise<boolean>;
}
