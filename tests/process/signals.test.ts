import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { FlowClient } from '../../src/client/flow-client';
import { historyReply, readiness } from '../../src/http/schemas';
import { listening } from '../../src/tools/server-process';
import { makeHistory } from '../../src/tools/traces';
import { eventually } from '../support/eventually';
import { ask, childrenOf, post, Processes, ROOT, SERVER, withTsx, type Ended } from '../support/server-process';
import { MIN_UNSAVED, readStore, replayWithKills } from '../support/server-process-kills';
import { media } from '../support/server-process-media';
import { WireClient } from '../support/wire-client';

const processes = new Processes();
const closings: Array<() => void> = [];
afterEach(async () => {
  for (const close of closings.splice(0)) close();
  await processes.clean();
});

/** The default of STOP_DEADLINE_MS. */
const STOP_DEADLINE_MS = 10_000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** As src/main.ts has it. */
const SAME_SIGNAL_MS = 1_000;
/** Between the signal and the line that says it has come. */
const LEEWAY_MS = 200;

describe.each(SIGNALS)('%s', (signal) => {
  test('[ST8] [CL1] during a replay: everything ordered is saved, the process ends by itself with 0, and the replay ends equal on the next one', async () => {
    const history = makeHistory({ seed: 11, edits: 5_000, authors: 2 });
    const { report, kills } = await replayWithKills({ processes, seed: 11, history, kills: 2, signal });
    expect(kills).toHaveLength(2);
    for (const { unsaved, lost, broken, ended, endedAfterMs } of kills) {
      expect(unsaved).toBeGreaterThanOrEqual(MIN_UNSAVED);
      expect(lost).toBe(0);
      expect(broken).toEqual([]);
      expect(ended).toEqual({ code: 0, signal: null });
      expect(endedAfterMs).toBeLessThan(STOP_DEADLINE_MS);
    }
    expect(report.problems).toEqual([]);
  }, 60_000);
});

test.each(SIGNALS)(
  '[ST8] %s to everyone at once, as a terminal and systemd send it, saves what is ordered and ends npm start with 0',
  async (signal) => {
    const documents = await processes.directory();
    const npm = await processes.launch(['npm', 'start'], {
      cwd: ROOT,
      // No flush comes by itself.
      env: { HOST: '127.0.0.1', PORT: '0', DOCUMENT_DIR: documents, SAVE_INTERVAL_MS: '60000', HOME: documents },
      isGroup: true,
    });
    const { url } = await listening(npm);
    await post(`${url}/api/sessions`, { sessionId: 'notes', format: 'json' });
    await post(`${url}/api/sessions/notes/operations`, { clientSeq: 1, operations: ['one'] });
    const { body } = await ask(`${url}/api/sessions/notes/operations`, historyReply);
    expect(body).toMatchObject({ head: 1, saved: 0 });

    expect(await npm.end(signal)).toEqual({ code: 0, signal: null });
    expect((await readStore(documents, 'notes')).map(({ operations }) => operations)).toEqual(['["one"]']);
    const signals = npm.lines.filter((line) => line.includes('"msg":"stopping"'));
    expect(signals).toHaveLength(1);
  },
);

const connect = async (url: string, user: string): Promise<WireClient> => {
  const client = await WireClient.connect(url, { user });
  closings.push(() => client.close());
  return client;
};

test('[ST8] clients hear that the server is draining, and then that what they had written is saved', async () => {
  const documents = await processes.directory();
  // No flush comes by itself.
  const server = await processes.startServer({ documents, env: { SAVE_INTERVAL_MS: '60000' } });
  const client = await connect(server.url, 'ada');
  const { session } = await client.demand('session:create', { format: 'json' });
  const { sessionId } = session;
  await client.demand('session:join', { sessionId });
  const { seq } = await client.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['one', 'two'] });
  expect(client.all('operation:saved')).toEqual([]);

  server.signal('SIGTERM');
  const { reconnectAfterMs } = await client.next('server:draining');
  expect(reconnectAfterMs).toBeGreaterThanOrEqual(200);
  expect(reconnectAfterMs).toBeLessThanOrEqual(2_000);
  expect(await client.next('operation:saved')).toMatchObject({ sessionId, saved: seq });
  await client.gone();
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.lines.at(-1)).toContain('"unsavedSessions":[]');
  expect((await readStore(documents, sessionId)).map(({ operations }) => operations)).toEqual(['["one","two"]']);
});

/** Larger than the room there is, so that it can never be saved there. */
const LARGE = Array.from({ length: 250 }, (_, number) => ({ number, text: 'x'.repeat(4_000) }));

describe('when saving is impossible', () => {
  const [limited] = media;
  if (!limited) throw new Error('there is no small medium');

  async function startStalled(stopDeadlineMs: number) {
    const env = { STOP_DEADLINE_MS: String(stopDeadlineMs), SAVE_STALL_MS: '50', LOG_LEVEL: 'info' };
    const store = await limited?.start(processes, env);
    if (!store) throw new Error('there is no small medium');
    const { url } = store.server;
    const client = new FlowClient({ url, token: 'ada', backoff: { firstMs: 20, ceilingMs: 200 } });
    closings.push(() => client.close());
    const { sessionId } = await client.createSession({ format: 'json' });
    const session = client.session(sessionId);
    await session.join();
    await session.submit(LARGE).whenOrdered();
    await eventually('saving stalls', async () => (await ask(`${url}/health/ready`, readiness)).status === 503);
    return { store, session, sessionId };
  }

  test('[ST8] [CL1] SIGTERM ends with 1 at the deadline, the log names the session, and its client loses nothing', async () => {
    const { store, session, sessionId } = await startStalled(3_000);
    const { server } = store;
    const listener = await connect(server.url, 'bob');
    const signalledAt = performance.now();
    server.signal('SIGTERM');
    await listener.next('server:draining');

    // It goes on trying, and says so to whoever asks; nobody new comes in.
    const { status, body } = await ask(`${server.url}/health/ready`, readiness);
    expect(status).toBe(503);
    expect(body.reasons.map(({ code }) => code)).toEqual(expect.arrayContaining(['draining', 'saving-stalled']));
    expect(await post(`${server.url}/api/sessions`, {})).toMatchObject({ status: 503, error: { code: 'DRAINING' } });
    await expect(WireClient.connect(server.url, { user: 'eve' })).rejects.toThrow();

    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(performance.now() - signalledAt).toBeLessThan(4_000);
    const complaints = server.lines.filter((line) => line.includes('"level":50') && line.includes('unsavedSessions'));
    expect(complaints).toEqual([expect.stringContaining(`"unsavedSessions":["${sessionId}"]`)]);

    await store.restart();
    await session.whenSaved();
    const stored = await readStore(store.documents, sessionId);
    expect(stored.flatMap(({ operations }): unknown[] => JSON.parse(operations))).toEqual(LARGE);
  });

  test.each(SIGNALS)(
    'a second signal (%s) ends it at once, as it would end a program without handlers, unless it comes with the first',
    async (second) => {
      const { store } = await startStalled(60_000);
      const { server } = store;
      server.signal('SIGTERM');
      await server.line(/"msg":"stopping"/);
      const stoppingAt = performance.now();
      let ended: Ended | undefined;
      void server.ended.then((how) => {
        ended = how;
      });
      // Impatient from the beginning: what comes within the first second is taken for the first signal.
      await eventually('a signal ends it', () => {
        server.signal(second);
        expect(ended).toEqual({ code: null, signal: second });
      });
      const endedAfterMs = performance.now() - stoppingAt;
      expect(endedAfterMs).toBeGreaterThan(SAME_SIGNAL_MS - LEEWAY_MS);
      expect(endedAfterMs).toBeLessThan(SAME_SIGNAL_MS + 2_000);
    },
  );
});

test('a signal while the server starts ends it with 0, and nobody is told that it cannot start', async () => {
  const launched = await processes.launch([process.execPath, SERVER], {
    env: { HOST: '127.0.0.1', PORT: '0', DOCUMENT_DIR: await processes.directory() },
  });
  await launched.line(/Using in-memory/);
  expect(await launched.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(launched.lines.join('\n')).not.toContain('cannot start');
});

test('a process manager is told when it is ready, and its channel does not keep the process alive', async () => {
  const documents = await processes.directory();
  const child = spawn(process.execPath, [SERVER], {
    cwd: documents,
    env: { HOST: '127.0.0.1', PORT: '0', DOCUMENT_DIR: documents },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  closings.push(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  expect(await once(child, 'message')).toEqual(['ready', undefined]);
  child.kill('SIGINT');
  expect(await ended).toEqual([0, null]);
});

test('the server leaves no process of its own behind', async () => {
  const server = await processes.startServer({ documents: await processes.directory() });
  expect(await childrenOf(server.pid)).toEqual([]);
});

describe('inside another program', () => {
  const program = (...args: string[]): string[] => withTsx('tests/support/server-process-embedded.ts', ...args);

  test('after stop no timer, socket or worker is left, and the program ends by itself', async () => {
    const launched = await processes.launch(program(await processes.directory()));
    const [found] = await launched.line(/^\{.*/);
    expect(JSON.parse(found)).toEqual({ report: { unsavedSessions: [] }, alive: [], active: [] });
    expect(await launched.ended).toEqual({ code: 0, signal: null });
  });

  test('negative control: without stop they are found', async () => {
    const launched = await processes.launch(program(await processes.directory(), 'unstopped'));
    const [found] = await launched.line(/^\{.*/);
    for (const resource of ['Timeout', 'TCPSERVERWRAP', 'WORKER', 'MESSAGEPORT']) expect(found).toContain(resource);
  });
});
