import { useServers } from '../support/server';
import { call, createSession, expectRefusal } from './support';

const start = useServers();

/** A server, a session that ann made, and bob, who has joined it. */
async function session() {
  const server = await start();
  const sessionId = await createSession(server, { format: 'json' }, 'ann');
  const bob = await server.connect({ user: 'bob' });
  const joined = await bob.demand('session:join', { sessionId });
  return { server, sessionId, params: { sessionId }, bob, joined };
}

test('an append over HTTP reaches those who are connected, and theirs is in the document', async () => {
  const { server, sessionId, params, bob } = await session();
  await call(server, 'appendOperations', { params, as: 'ann', body: { clientSeq: 1, operations: ['from afar'] } });
  const batch = await bob.next('operation:batch');
  expect(batch.entries).toMatchObject([{ seq: 1, userId: 'ann', operations: ['from afar'] }]);
  await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['from here'] });
  const document = await call(server, 'readDocument', { params, as: 'ann' });
  expect(document.body).toMatchObject({ operations: ['from afar', 'from here'], head: { seq: 2 } });
  expect((await call(server, 'stats')).body).toMatchObject({
    connections: { local: 1, cluster: 1 },
    users: 1,
    sessions: { open: 1, participants: 1 },
  });
});

test('a client that is connected may append over HTTP under the same identity [EO2]', async () => {
  const { server, sessionId, params, bob, joined } = await session();
  const { clientId, signature } = joined.client;
  await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['a'] });
  const body = { client: { clientId, signature }, clientSeq: 1, operations: ['a'] };
  expect((await call(server, 'appendOperations', { params, as: 'bob', body })).body).toMatchObject({ duplicate: true });
  await expectRefusal(call(server, 'appendOperations', { params, as: 'ann', body }), 'CLIENT_INVALID');
});

test('a new title reaches those who are connected, and those who come later', async () => {
  const { server, sessionId, params, bob } = await session();
  const { body } = await call(server, 'renameSession', { params, as: 'bob', body: { title: 'Better' } });
  expect(await bob.next('session:renamed')).toEqual({ sessionId, title: 'Better' });
  const carl = await server.connect({ user: 'carl' });
  const joined = await carl.demand('session:join', { sessionId });
  expect(joined.session.title).toBe('Better');
  // All of it, also when it was renamed.
  expect(body).toEqual({ session: joined.session });
});

test('a session that is closed ends for those who are connected, with everything saved', async () => {
  const { server, sessionId, params, bob } = await session();
  await bob.demand('operation:submit', { sessionId, clientSeq: 1, operations: ['last words'] });
  expect((await call(server, 'closeSession', { params, as: 'ann' })).status).toBe(204);
  expect(await bob.next('session:closed')).toEqual({ sessionId, reason: 'closed' });
  expect(await bob.ask('session:join', { sessionId })).toMatchObject({ error: { code: 'SESSION_NOT_FOUND' } });
  expect((await call(server, 'stats')).body).toMatchObject({ operations: { saved: 1 }, sessions: { open: 0 } });
});
