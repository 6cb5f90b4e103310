import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { OpenSession } from '../../src/live/open-session';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { createSession } from '../support/documents';
import { eventually } from '../support/eventually';
import { FaultyStore } from '../support/faulty-store';
import { type TestServer, useServers } from '../support/server';

const startServer = useServers();

const asAda = (server: TestServer, method: string, sessionId: string, body?: object): Promise<Response> =>
  fetch(`${server.url}/api/sessions/${sessionId}`, {
    method,
    headers: { authorization: 'Bearer ada', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

test('[DL8] a closed session is no longer in memory, though connections that had joined it live on', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const opened: Array<WeakRef<OpenSession>> = [];
  const open = OpenSession.open.bind(OpenSession);
  OpenSession.open = async (...given) => {
    const session = await open(...given);
    opened.push(new WeakRef(session));
    return session;
  };
  try {
    const server = await startServer();
    const ada = await server.connect({ user: 'ada' });
    const sessionId = await createSession(ada);
    await ada.demand('session:join', { sessionId });
    expect((await asAda(server, 'DELETE', sessionId)).status).toBe(204);
    await ada.next('session:closed');
    await eventually('the memory is free', () => {
      collectGarbage();
      expect(opened.map((session) => session.deref()?.sessionId)).toEqual([undefined]);
    });
    expect(await ada.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject({
      code: 'NOT_JOINED',
    });
    await ada.demand('session:leave', { sessionId });
    expect(await ada.refusal('session:join', { sessionId })).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  } finally {
    OpenSession.open = open;
  }
});

test('closing a session is answered also while the store takes nothing, and is done when it does', async () => {
  const store = new FaultyStore(new MemoryDocumentStore());
  const server = await startServer({ store });
  const ada = await server.connect({ user: 'ada' });
  const sessionId = await createSession(ada);
  await ada.demand('session:join', { sessionId });
  store.isFull = true;
  await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] });
  expect((await asAda(server, 'DELETE', sessionId)).status).toBe(204);
  expect((await asAda(server, 'GET', sessionId)).status).toBe(404);
  expect(ada.all('session:closed')).toEqual([]);
  store.isFull = false;
  expect(await ada.next('session:closed')).toEqual({ sessionId, reason: 'closed' });
  expect(await store.operationLog.head(sessionId)).toMatchObject({ seq: 1 });
});

test('a session that is renamed while it is being opened has the new title', async () => {
  const store = new MemoryDocumentStore();
  const { operationLog } = store;
  const openEpoch = operationLog.openEpoch.bind(operationLog);
  let isOpening = false;
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  operationLog.openEpoch = async (...given) => {
    isOpening = true;
    await held;
    return openEpoch(...given);
  };
  const server = await startServer({ store });
  const ada = await server.connect({ user: 'ada' });
  const sessionId = await createSession(ada);
  const joining = ada.demand('session:join', { sessionId });
  await eventually('the session is being opened', () => isOpening);
  expect((await asAda(server, 'PATCH', sessionId, { title: 'New' })).status).toBe(200);
  release();
  await joining;
  const bob = await server.connect({ user: 'bob' });
  expect((await bob.demand('session:join', { sessionId })).session.title).toBe('New');
});
