// Starts the server inside this process, uses it, stops it, and tells what is still there. It does not end the process: if that goes
// on, something was left. Arguments: the directory for documents; `unstopped`, to show that something would be found.

import { createHook } from 'node:async_hooks';
import { get } from 'node:http';
import * as Y from 'yjs';
import { loadConfig } from '../../config/load-config';
import { createApp } from '../../src/app';
import { FlowClient } from '../../src/client/flow-client';
import { FlowYjsProvider } from '../../src/client/yjs-provider';
import { silentLogger } from '../../src/lib/logger';
import type { StopReport } from '../../src/live/open-sessions';

/** Kinds of what keeps working in the background; requests and promises come and go by themselves. */
const RESOURCES = [
  'Timeout',
  'Immediate',
  'TCPSERVERWRAP',
  'TCPWRAP',
  'PIPEWRAP',
  'PIPESERVERWRAP',
  'UDPWRAP',
  'WORKER',
  'MESSAGEPORT',
  'FSEVENTWRAP',
  'STATWATCHER',
  'PROCESSWRAP',
  'SIGNALWRAP',
];

/** Everything made from here on and not ended yet, with the place where it was made. */
const alive = new Map<number, string>();
Error.stackTraceLimit = 30;
const hook = createHook({
  init(id, type) {
    if (!RESOURCES.includes(type)) return;
    const frames = new Error().stack?.split('\n').slice(2) ?? [];
    alive.set(id, [type, ...frames.map((frame) => frame.trim())].join('\n'));
  },
  destroy: (id) => void alive.delete(id),
});

/** A write, a read and an awareness state: everything that starts something. Answers how to leave. */
async function use(url: string): Promise<() => void> {
  const client = new FlowClient({ url, token: 'ada' });
  const { sessionId } = await client.createSession({ format: 'yjs' });
  const doc = new Y.Doc();
  const provider = new FlowYjsProvider(client, sessionId, doc);
  provider.awareness?.setLocalState({ name: 'Ada' });
  await provider.session.join();
  for (let typed = 0; typed < 20; typed += 1) doc.getText('content').insert(typed, 'x');
  await provider.session.whenSaved();
  // Through a worker thread.
  const status = await statusOf(`${url}/api/sessions/${sessionId}/document?as=text`);
  if (status !== 200) throw new Error(`the document was answered with ${status}`);
  return () => {
    provider.destroy();
    client.close();
    doc.destroy();
  };
}

/** Not by fetch, which keeps its connection. */
const statusOf = (url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    }).on('error', reject);
  });

/** Node itself keeps the text of a Date header for a second at most; by then everything else is long gone. */
const GONE_AFTER_MS = 1_500;
const POLL_MS = 50;

/** Tells what is alive once nothing is, or at the end. What this takes itself is not counted. */
function tell(report: StopReport | null, endsAt: number): void {
  hook.disable();
  if (alive.size > 0 && performance.now() < endsAt) {
    setTimeout(tell, POLL_MS, report, endsAt);
    hook.enable();
    return;
  }
  // In a turn of its own, so that the timer that brought us here is over. Standard output may be a pipe.
  setImmediate(() => {
    const active = process.getActiveResourcesInfo().filter((resource) => resource !== 'PipeWrap');
    console.log(JSON.stringify({ report, alive: [...alive.values()], active }));
  });
}

async function main(documentDir: string, isStopped: boolean): Promise<void> {
  hook.enable();
  const config = { ...loadConfig({}), host: '127.0.0.1', port: 0, documentDir };
  const app = createApp(config, { log: silentLogger });
  await app.start();
  const leave = await use(app.url);
  // While somebody is still there.
  const report = isStopped ? await app.stop() : null;
  leave();
  tell(report, performance.now() + GONE_AFTER_MS);
}

const [documentDir = '', mode] = process.argv.slice(2);
void main(documentDir, mode !== 'unstopped');
