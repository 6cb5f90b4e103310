import { markOf } from '../../src/protocol/entry';
import { FlowError } from '../../src/protocol/errors';
import type { DocumentStore } from '../../src/storage/document-store';
import type { SaveResult, SessionSave } from '../../src/storage/operation-log';
import { WrappedStore } from './wrapped-store';

/** A store that says "saved" at once and commits a while later, as one does that trusts its memory. */
export class HastyDocumentStore extends WrappedStore {
  readonly #commit: (saves: readonly SessionSave[]) => Promise<unknown>;
  readonly #delayMs: number;
  #committing: Promise<unknown> = Promise.resolve();

  constructor(inner: DocumentStore, delayMs: number) {
    super(inner, () => ({ save: (saves) => this.#promise(saves) }));
    this.#commit = (saves) => inner.operationLog.save(saves);
    this.#delayMs = delayMs;
  }

  override async stop(): Promise<void> {
    await this.#committing;
    await super.stop();
  }

  async #promise(saves: readonly SessionSave[]): Promise<readonly SaveResult[]> {
    this.#committing = this.#committing
      .then(() => new Promise((resolve) => setTimeout(resolve, this.#delayMs)))
      .then(() => this.#commit(saves));
    return saves.map(({ entries }): SaveResult => {
      const last = entries[entries.length - 1];
      return last ? { status: 'saved', head: markOf(last) } : { status: 'fenced', epoch: 0 };
    });
  }
}

/** A store that takes nothing while somebody says so. */
export class RefusingDocumentStore extends WrappedStore {
  constructor(inner: DocumentStore, refuses: () => boolean) {
    const demandWilling = (): void => {
      if (refuses()) throw new FlowError('STORE_UNAVAILABLE', 'The store refuses.');
    };
    super(inner, (operationLog) => ({
      openEpoch: async (...args) => {
        demandWilling();
        return operationLog.openEpoch(...args);
      },
      save: async (saves) => {
        demandWilling();
        return operationLog.save(saves);
      },
    }));
  }
}
