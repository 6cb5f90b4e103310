import * as Y from 'yjs';
import { seededRandom } from '../../src/tools/seeded-random';
import { FIELD } from '../../src/tools/traces';

const LETTERS = 'etaoin shrdlu';
/** Like people: words in a row, a correction now and then, and sometimes somewhere else. */
const JUMP = 0.02;
const DELETE = 0.15;
const SEED = 20_260;

/** What an editor sends for each of so many typed characters: a Yjs update as base64, some 30 bytes. */
export function typedUpdates(count: number): string[] {
  const doc = new Y.Doc();
  const text = doc.getText(FIELD);
  const updates = recordUpdates(doc);
  for (let typed = 0; typed < count; typed += 1) text.insert(typed, LETTERS.charAt(typed % LETTERS.length));
  return updates;
}

/** A document's whole life, edit by edit, and what it says in the end. */
export function typedDocument(edits: number): { updates: readonly string[]; text: string } {
  const random = seededRandom(SEED);
  const doc = new Y.Doc();
  const text = doc.getText(FIELD);
  const updates = recordUpdates(doc);
  let cursor = 0;
  for (let edit = 0; edit < edits; edit += 1) {
    if (random() < JUMP) cursor = Math.floor(random() * (text.length + 1));
    if (cursor > 0 && random() < DELETE) text.delete((cursor -= 1), 1);
    else text.insert(cursor++, LETTERS.charAt(Math.floor(random() * LETTERS.length)));
  }
  return { updates, text: text.toJSON() };
}

function recordUpdates(doc: Y.Doc): string[] {
  const updates: string[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(Buffer.from(update).toString('base64')));
  return updates;
}
