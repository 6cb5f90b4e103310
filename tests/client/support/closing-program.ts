import * as Y from 'yjs';
import { FlowClient } from '../../../src/client/flow-client';
import { FlowYjsProvider } from '../../../src/client/yjs-provider';

/** Writes one letter, waits until it is saved, closes, and must then end without being told to. */
async function main(): Promise<void> {
  const client = new FlowClient({ url: process.env['URL'] ?? '' });
  const provider = new FlowYjsProvider(client, process.env['SESSION_ID'] ?? '', new Y.Doc());
  await new Promise<void>((resolve) => provider.on('sync', () => resolve()));
  provider.doc.getText('content').insert(0, 'x');
  await provider.whenSaved();
  provider.destroy();
  client.close();
  console.log(`closed with ${JSON.stringify(client.resources)}`);
}

void main();
