import { FlowClient } from '../../src/client/flow-client';
import type { FlowSession } from '../../src/client/session';
import { health, historyReply, readiness } from '../../src/http/schemas';
import { systemClock } from '../../src/lib/clock';
import { Gateway } from '../client/support/gateway';
import { eventually } from '../support/eventually';
import { ask, portToComeBackTo, post, Processes, type ServerProcess } from '../support/server-process';
import { readStore } from '../support/server-process-kills';
import { lmdbStore } from '../support/stores';

const processes = new Processes();
const closings: Array<() => Promise<void> | void> = [];
afterEach(async () => {
  for (const close of closings.splice(0)) await close();
  await processes.clean();
});

const BACKOFF = { firstMs: 20, ceilingMs: 200 };

async function connected(url: string, user: string): Promise<FlowClient> {
  const client = new FlowClient({ url, token: user, backoff: BACKOFF });
  closings.push(() => client.close());
  client.connect();
  await eventually(`${user} is connected`, () => client.status.state === 'connected');
  return client;
}

async function joined(client: FlowClient, sessionId: string): Promise<FlowSession> {
  const session = client.session(sessionId);
  await session.join();
  return session;
}

async function createSession(url: string): Promise<string> {
  const client = new FlowClient({ url, token: 'ada' });
  const { sessionId } = await client.createSession({ format: 'json' });
  client.close();
  return sessionId;
}

/** Operations of a session in their order, each with the epoch it was ordered in. */
async function historyOf(url: string, sessionId: string): Promise<Array<{ epoch: number; operation: unknown }>> {
  const { body } = await ask(`${url}/api/sessions/${sessionId}/operations?limit=1000`, historyReply);
  return body.entries.flatMap(({ epoch, operations }) => operations.map((operation) => ({ epoch, operation })));
}

/** What two people wrote, in any order of one between the other's. */
function expectEachOnce(history: ReadonlyArray<{ operation: unknown }>, ...written: string[][]): void {
  const operations = history.map(({ operation }) => operation);
  expect(operations).toHaveLength(written.flat().length);
  for (const own of written) expect(operations.filter((operation) => own.includes(String(operation)))).toEqual(own);
}

const numbered = (name: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `${name} ${from + index}`);

/**
 * Starts a second process as if the first one had stood still for longer than its lease: nobody knows of it. Otherwise the second would wait
 * until the first is gone.
 */
async function startBeside(documents: string): Promise<ServerProcess> {
  const starting = processes.startServer({ documents, env: { INSTANCE_ID: 'second' } });
  const store = lmdbStore(documents);
  await store.start();
  const leases = store.instanceLeases(systemClock);
  let isStarted = false;
  void starting.finally(() => {
    isStarted = true;
  });
  await eventually('the second one has started', async () => {
    const known = await leases.list();
    for (const lease of known) if (lease.instanceId !== 'second') await leases.end(lease);
    return isStarted;
  });
  await store.stop();
  return starting;
}

const refusedWriters = ({ lines }: ServerProcess): string[] =>
  lines.filter((line) => line.includes('the store refuses this writer'));

describe('[ST5] a process on the directory of one that nobody knew of, with event ordering in memory', () => {
  test('the second takes a session over, the first is fenced and gives it up, and its clients lose nothing on the second', async () => {
    const documents = await processes.directory();
    // Much longer than it takes to join: what the first one orders then is not saved before it is fenced.
    const first = await processes.startServer({ documents, env: { SAVE_INTERVAL_MS: '1500' } });
    const second = await startBeside(documents);
    // Stands for what routes people to the processes: to the first one until it is known not to be ready.
    const gateway = new Gateway();
    await gateway.start();
    closings.push(() => gateway.stop());
    gateway.route(first.url);

    const sessionId = await createSession(first.url);
    const ada = await joined(await connected(gateway.url, 'ada'), sessionId);
    const bobsClient = await connected(second.url, 'bob');
    await ada.submit(numbered('ada', 1, 30)).whenSaved();
    await ada.submit(numbered('ada', 31, 60)).whenOrdered();

    // Bob comes to the other process, and the session with him.
    const bob = await joined(bobsClient, sessionId);
    for (const text of numbered('bob', 1, 20)) bob.submit([text]);
    await bob.whenSaved();

    await eventually('the first process says that it should get no traffic', async () => {
      const { status, body } = await ask(`${first.url}/health/ready`, readiness);
      expect({ status, reasons: body.reasons }).toEqual({
        status: 503,
        reasons: [expect.objectContaining({ code: 'sessions-taken-over', sessions: 1 })],
      });
    });
    // Ada's editor holds what was not saved, and goes on holding what she writes.
    for (const text of numbered('ada', 61, 70)) ada.submit([text]);
    await eventually('ada is told to go elsewhere', () => {
      expect(ada.status).toMatchObject({ state: 'connecting', ordered: 30, unsent: 10 });
    });
    await eventually('the first process refuses her', () => {
      expect(refusedWriters(first)).toHaveLength(1);
    });

    gateway.route(second.url);
    gateway.cut();
    await ada.whenSaved();
    for (const text of numbered('ada', 71, 75)) ada.submit([text]);
    for (const text of numbered('bob', 21, 25)) bob.submit([text]);
    await Promise.all([ada.whenSaved(), bob.whenSaved()]);
    await eventually('both have everything', () => {
      expect([ada.head.seq, bob.head.seq]).toEqual([100, 100]);
    });

    const history = await historyOf(second.url, sessionId);
    expectEachOnce(history, numbered('ada', 1, 75), numbered('bob', 1, 25));
    // One change of hands, and no way back.
    const epochs = history.map(({ epoch }) => epoch);
    expect([...new Set(epochs)]).toHaveLength(2);
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
    expect(refusedWriters(first)).toHaveLength(1);
    expect(refusedWriters(second)).toEqual([]);

    for (const server of [first, second]) expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    const stored = await readStore(documents, sessionId);
    expect(stored.flatMap(({ operations }): unknown[] => JSON.parse(operations))).toEqual(
      history.map(({ operation }) => operation),
    );
  });

  test('the first one does not fight back, however often it is asked, and goes on with its other sessions', async () => {
    const documents = await processes.directory();
    const port = await portToComeBackTo();
    const first = await processes.startServer({ documents, port });
    const second = await startBeside(documents);
    const [taken, kept] = [await createSession(first.url), await createSession(first.url)];
    const ada = await joined(await connected(first.url, 'ada'), taken);
    const eve = await joined(await connected(first.url, 'eve'), kept);
    await ada.submit(['ada 1']).whenSaved();
    const bob = await joined(await connected(second.url, 'bob'), taken);
    await bob.submit(['bob 1']).whenSaved();

    ada.submit(['ada 2']);
    await eventually('the first process has noticed', async () => {
      expect((await ask(`${first.url}/health`, health)).body).toMatchObject({ status: 'degraded' });
    });
    // Ada's editor asks again and again by itself; so do others.
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const append = { clientSeq: 1, operations: ['by hand'] };
      expect(await post(`${first.url}/api/sessions/${taken}/operations`, append)).toMatchObject({
        status: 503,
        error: { code: 'BACKEND_UNAVAILABLE', action: 'wait' },
      });
    }
    await bob.submit(['bob 2']).whenSaved();
    await eve.submit(['eve 1']).whenSaved();
    expect(refusedWriters(second)).toEqual([]);
    expect((await historyOf(second.url, taken)).map(({ operation }) => operation)).toEqual(['ada 1', 'bob 1', 'bob 2']);
    expect(ada.heldOperations().map(({ operation }) => operation)).toEqual(['ada 2']);
    // Reading is no fight.
    expect((await historyOf(first.url, taken)).map(({ operation }) => operation)).toEqual(['ada 1', 'bob 1', 'bob 2']);

    // Restarted, which is what its readiness asks for, it may have the session again.
    for (const server of [first, second]) expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    const next = await processes.startServer({ documents, port });
    await ada.whenSaved();
    expect((await ask(`${next.url}/health/ready`, readiness)).status).toBe(200);
  });
});
