import * as Y from 'yjs';
import { FIELD } from '../../src/tools/traces';

const LETTERS = 'etaoin shrdlu';

/** What an editor sends for each of so many typed characters: a Yjs update as base64, some 30 bytes. */
export function typedUpdates(count: number): string[] {
  const doc = new Y.Doc();
  const text = doc.getText(FIELD);
  const updates: string[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(Buffer.from(update).toString('base64')));
  for (let typed = 0; typed < count; typed += 1) text.insert(typed, LETTERS.charAt(typed % LETTERS.length));
  return updates;
}
