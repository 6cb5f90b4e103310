// TEMPORARY stand-in by the lead so that others can start the server; the storage helper overwrites this file.
import * as Y from 'yjs';
import type { Logger } from '../lib/logger';
import type { DocumentFolder, FoldSource } from './document-folder';

export class PiscinaDocumentFolder implements DocumentFolder {
  constructor(_options: { log: Logger }) {}
  async #doc({ snapshot, entries }: FoldSource): Promise<Y.Doc> {
    const doc = new Y.Doc();
    if (snapshot) Y.applyUpdate(doc, snapshot);
    for await (const page of entries)
      for (const { operations } of page)
        for (const update of JSON.parse(operations) as string[]) Y.applyUpdate(doc, Buffer.from(update, 'base64'));
    return doc;
  }
  async toUpdate(source: FoldSource): Promise<Uint8Array> {
    return Y.encodeStateAsUpdate(await this.#doc(source));
  }
  async toText(source: FoldSource, field: string): Promise<string> {
    return (await this.#doc(source)).getText(field).toJSON();
  }
  async toJson(source: FoldSource, field: string): Promise<string> {
    return JSON.stringify((await this.#doc(source)).getText(field).toJSON());
  }
  async difference(snapshot: Uint8Array, stateVector: Uint8Array) {
    return { update: Y.diffUpdate(snapshot, stateVector), stateVector: Y.encodeStateVectorFromUpdate(snapshot) };
  }
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
}
