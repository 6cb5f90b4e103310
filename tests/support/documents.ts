import * as Y from 'yjs';
import type { Format } from '../../src/protocol/schemas';
import type { WireClient } from './wire-client';

let sessionCount = 0;

/** A new session with an id of its own. */
export async function createSession(client: WireClient, format: Format = 'json'): Promise<string> {
  sessionCount += 1;
  const sessionId = `session-${sessionCount}`;
  await client.demand('session:create', { sessionId, format, title: `Session ${sessionCount}` });
  return sessionId;
}

/** Yjs updates, one per text, that write the texts one behind the other. */
export function yjsUpdates(...texts: string[]): string[] {
  const document = new Y.Doc();
  const updates: string[] = [];
  document.on('update', (update: Uint8Array) => updates.push(Buffer.from(update).toString('base64')));
  const content = document.getText('content');
  for (const text of texts) content.insert(content.length, text);
  return updates;
}

/** The text that updates in base64 make together. */
export function yjsText(updates: readonly string[]): string {
  const document = new Y.Doc();
  for (const update of updates) Y.applyUpdate(document, Buffer.from(update, 'base64'));
  return document.getText('content').toJSON();
}
