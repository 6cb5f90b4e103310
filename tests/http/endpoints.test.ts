import { endpoints } from '../../src/http/endpoints';
import { startServer, type TestServer } from '../support/server';
import { answered, call, createSession, yjsOperations } from './support';

describe.each(['memory', 'lmdb'] as const)('every endpoint, with the %s store', (documentStore) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({ config: { documentStore } });
  });
  afterAll(() => server.stop());

  test('answers as its schema says', async () => {
    answered.clear();
    for (const name of ['health', 'live', 'ready', 'stats', 'openApi', 'docs'] as const) {
      expect((await call(server, name)).status).toBe(200);
    }

    const sessionId = await createSession(server, { title: 'Plans' }, 'ann');
    const params = { sessionId };
    const operations = yjsOperations((doc) => doc.getText('content').insert(0, 'hello'));
    const appended = await call(server, 'appendOperations', { params, as: 'ann', body: { clientSeq: 1, operations } });
    expect(appended.body).toEqual({
      epoch: expect.any(Number),
      seq: 1,
      client: { clientId: expect.any(String), signature: expect.any(String) },
    });

    expect((await call(server, 'readSession', { params, as: 'ann' })).body).toMatchObject({
      session: { sessionId, title: 'Plans', format: 'yjs', createdBy: 'ann' },
      role: 'owner',
    });
    expect((await call(server, 'listSessions', { as: 'ann' })).body).toMatchObject({
      sessions: [{ sessionId }],
      next: null,
    });
    expect((await call(server, 'readDocument', { params })).text).toBe('hello');
    expect((await call(server, 'readHistory', { params })).body).toMatchObject({
      entries: [{ seq: 1, clientSeq: 1, userId: 'ann', operations }],
      next: null,
      head: 1,
    });
    const etag = (await call(server, 'readDocument', { params })).headers['etag'] ?? '';
    expect((await call(server, 'readDocument', { params, headers: { 'If-None-Match': etag } })).status).toBe(304);

    const renamed = await call(server, 'renameSession', { params, as: 'ann', body: { title: 'Better plans' } });
    expect(renamed.body).toMatchObject({ session: { sessionId, title: 'Better plans' } });

    const copy = await call(server, 'duplicateSession', { params, as: 'bob', body: { sessionId: 'copy' } });
    expect(copy.headers['location']).toBe('/api/sessions/copy');
    expect(copy.body).toMatchObject({ session: { sessionId: 'copy', title: 'Better plans', createdBy: 'bob' } });

    const bob = { params: { sessionId, userId: 'bob' }, as: 'ann' };
    const list = { roles: [{ userId: 'ann', role: 'owner' }], link: 'editor' };
    expect((await call(server, 'listRoles', { params, as: 'ann' })).body).toEqual(list);
    expect((await call(server, 'setRole', { ...bob, body: { role: 'viewer' } })).body).toEqual({
      ...list,
      roles: [...list.roles, { userId: 'bob', role: 'viewer' }],
    });
    expect((await call(server, 'removeRole', bob)).status).toBe(204);
    const closed = await call(server, 'setLink', { params, as: 'ann', body: { role: 'none' } });
    expect(closed.body).toEqual({ ...list, link: 'none' });

    expect((await call(server, 'listDevices', { as: 'ann' })).body).toEqual({ devices: [] });
    const device = { params: { deviceId: 'phone' }, as: 'ann' };
    expect((await call(server, 'revokeDevice', device)).status).toBe(204);
    expect((await call(server, 'revokeDevices', { as: 'ann' })).status).toBe(204);

    expect((await call(server, 'closeSession', { params, as: 'ann' })).status).toBe(204);
    expect((await call(server, 'readSession', { params, as: 'ann' })).status).toBe(404);

    const promised = Object.entries(endpoints).flatMap(([name, { statuses }]) =>
      Object.keys(statuses).map((status) => `${name} ${status}`),
    );
    // The two 503s take a server that is not well: health.test.ts.
    expect(promised.filter((answer) => !answered.has(answer))).toEqual(['health 503', 'ready 503']);
  });
});
