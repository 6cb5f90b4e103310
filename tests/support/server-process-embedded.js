// Starts the built server inside this process, uses it, stops it, and tells what is still there. It does not end itself: if the
// process goes on, something was left. Arguments: the directory for documents.

const { createHook } = require('node:async_hooks');
const http = require('node:http');
const path = require('node:path');

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

// Made now, these are not counted: they stay as long as the process.
const STANDARD_STREAMS = [process.stdout, process.stderr];
if (STANDARD_STREAMS.some((stream) => stream.destroyed)) process.exit(2);

/** Everything made from here on and not ended yet, with the place where it was made. @type {Map<number, string>} */
const alive = new Map();
const hook = createHook({
  init(id, type) {
    if (!RESOURCES.includes(type)) return;
    const frames = new Error().stack?.split('\n').slice(2) ?? [];
    alive.set(
      id,
      `${type} ${frames
        .filter((frame) => !frame.includes('node:internal'))
        .slice(0, 4)
        .join(' ')}`,
    );
  },
  destroy: (id) => void alive.delete(id),
}).enable();
Error.stackTraceLimit = 30;

const DIST = path.join(__dirname, '../../dist');
const { createApp } = require(path.join(DIST, 'src/app.js'));
const { loadConfig } = require(path.join(DIST, 'config/load-config.js'));
const { FlowClient, FlowYjsProvider } = require(path.join(DIST, 'client/index.cjs'));
const Y = require('yjs');

/** A write, a read, a fold and an awareness state: everything that starts something. */
async function use(url) {
  const client = new FlowClient({ url, token: 'ada' });
  const { sessionId } = await client.createSession({ format: 'yjs' });
  const doc = new Y.Doc();
  const provider = new FlowYjsProvider(client, sessionId, doc);
  provider.awareness.setLocalState({ name: 'Ada' });
  await provider.session.join();
  for (let typed = 0; typed < 20; typed += 1) doc.getText('content').insert(typed, 'x');
  await provider.session.whenSaved();
  // Through a worker thread. Not by fetch, which keeps its connection.
  await new Promise((resolve, reject) => {
    http.get(`${url}/api/sessions/${sessionId}/document?as=text`, { agent: false }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve(undefined);
        else reject(new Error(`the document was answered with ${response.statusCode}`));
      });
    });
  });
  return { client, provider, doc };
}

async function main() {
  const config = { ...loadConfig({}), host: '127.0.0.1', port: 0, documentDir: process.argv[2], logLevel: 'silent' };
  const app = createApp(config);
  await app.start();
  const used = await use(app.url);
  // While somebody is still there.
  const report = await app.stop();
  used.provider.destroy();
  used.client.close();
  used.doc.destroy();
  console.log(JSON.stringify({ report }));
}

/** Node itself keeps the text of a Date header for a second at most; by then everything else is long gone. */
const GONE_AFTER_MS = 1_500;
const POLL_MS = 50;

/** @param {number} endsAt */
function report(endsAt) {
  if (alive.size === 0 || performance.now() > endsAt) {
    // In a turn of its own, so that the timer that brought us here is over.
    setImmediate(() => {
      const active = process.getActiveResourcesInfo().filter((resource) => resource !== 'PipeWrap');
      console.log(JSON.stringify({ alive: [...alive.values()], active }));
    });
    return;
  }
  hook.disable();
  setTimeout(report, POLL_MS, endsAt);
  hook.enable();
}

main().then(
  () => report(performance.now() + GONE_AFTER_MS),
  (fault) => {
    console.error(fault);
    process.exitCode = 1;
  },
);
