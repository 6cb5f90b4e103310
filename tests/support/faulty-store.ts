import { FlowError } from '../../src/protocol/errors';
import type { DocumentStore } from '../../src/storage/document-store';
import { WrappedStore } from './wrapped-store';

/** A store with switches; it counts what they did. Stopping it leaves the real one open, for the server that comes next. */
export class FaultyStore extends WrappedStore {
  /** While true no save succeeds. */
  isFull = false;
  /** How long every save takes. */
  saveMs = 0;
  /** When set, a client's row is read at once, but answered only when this resolves. */
  heldClientRows: Promise<void> | undefined;
  /** When set, a save that begins is carried out only when this resolves. */
  heldSaves: Promise<void> | undefined;
  readonly counts = { savesRefused: 0, pagesRead: 0, saves: 0, clientRowsRead: 0, savesBegun: 0 };

  constructor(store: DocumentStore) {
    super(store, (operationLog) => ({
      clientRow: async (...args) => {
        const row = await operationLog.clientRow(...args);
        this.counts.clientRowsRead += 1;
        await this.heldClientRows;
        return row;
      },
      readAfter: (...args) => {
        this.counts.pagesRead += 1;
        return operationLog.readAfter(...args);
      },
      save: async (saves) => {
        if (this.isFull) {
          this.counts.savesRefused += 1;
          throw new FlowError('STORE_UNAVAILABLE', 'The disk is full.');
        }
        this.counts.savesBegun += 1;
        await this.heldSaves;
        this.counts.saves += 1;
        if (this.saveMs > 0) await new Promise((resolve) => setTimeout(resolve, this.saveMs));
        return operationLog.save(saves);
      },
    }));
  }

  override async stop(): Promise<void> {}
}
