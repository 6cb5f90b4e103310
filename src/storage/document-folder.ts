import type { Entry } from '../protocol/entry';

/** A Yjs document as it is kept: a snapshot (a Yjs update) and the entries after it, in order, in pages of bounded size. */
export interface FoldSource {
  readonly snapshot: Uint8Array | null;
  readonly entries: AsyncIterable<readonly Entry[]>;
}

/**
 * Everything that needs a whole Yjs document, off the main thread (ST9). No call blocks the event loop for longer than it takes
 * to hand a page over. An operation that is no valid Yjs update is passed over and counted, never fatal.
 * Rejects with BUSY when too many calls wait.
 */
export interface DocumentFolder {
  /** The whole document as one Yjs update, deleted content garbage-collected. */
  toUpdate(source: FoldSource): Promise<Uint8Array>;

  /** Plain text of the shared type `field`: of a Y.Text its characters, of a Y.XmlFragment its text, a line per block. */
  toText(source: FoldSource, field: string): Promise<string>;

  /** JSON text of the shared type `field`, whichever type it is; an XmlFragment as nested `{ type, attrs, content }`. */
  toJson(source: FoldSource, field: string): Promise<string>;

  /**
   * Applies operations (a JSON array of base64 Yjs updates) to the document, and forgets it again. Rejects with BAD_REQUEST when that
   * fails or takes so long that it would bring every reader to a standstill.
   */
  tryOut(source: FoldSource, operations: string): Promise<void>;

  /** What a reader with `stateVector` lacks of a snapshot, and the snapshot's own state vector. */
  difference(
    snapshot: Uint8Array,
    stateVector: Uint8Array,
  ): Promise<{ readonly update: Uint8Array; readonly stateVector: Uint8Array }>;

  start(): Promise<void>;
  stop(): Promise<void>;
}
