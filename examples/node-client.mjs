// Writes a line into a document, from a program: node examples/node-client.mjs http://localhost:3001 <sessionId> "A line"

import { FlowClient, FlowYjsProvider } from 'flow-backend/client';
import * as Y from 'yjs';

const [url, sessionId, line] = process.argv.slice(2);
if (line === undefined) throw new Error('usage: node-client.mjs <url> <sessionId> <line>');

const client = new FlowClient({ url, token: process.env.FLOW_TOKEN ?? 'A program' });
const doc = new Y.Doc();
const provider = new FlowYjsProvider(client, sessionId, doc);
provider.on('refused', (reason) => {
  console.error(reason.message);
  process.exitCode = 1;
  end();
});

provider.on('sync', (isSynced) => {
  if (isSynced) void write();
});

async function write() {
  const text = doc.getText('content');
  text.insert(text.length, `${line}\n`);
  await provider.whenSaved(); // In the store by now: the program may end, and so may the server.
  console.log(text.toJSON());
  end();
}

function end() {
  provider.destroy();
  client.close();
}
