import express from 'express';
import { createServer } from 'node:http';
import { Writable } from 'node:stream';
import request from 'supertest';
import { createFlow } from '../../src/flow';
import { createLogger } from '../../src/lib/logger';
import { listen } from '../../src/lib/listen';
import { FlowError } from '../../src/protocol/errors';
import type { Role } from '../../src/protocol/schemas';
import { startServer, type TestServer } from '../support/server';
import { call, createSession, errorOf, expectRefusal, yjsOperations } from './support';

const [operation] = yjsOperations((doc) => doc.getText('content').insert(0, 'x'));

describe('who may do what', () => {
  const roles = new Map<string, Role>([
    ['vera', 'viewer'],
    ['carl', 'commenter'],
    ['ed', 'editor'],
    ['owen', 'owner'],
  ]);
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({
      hooks: {
        authenticate: ({ token }) => (token?.startsWith('user-') ? { userId: token.slice(5) } : null),
        authorize: ({ userId }, { createdBy, title }) =>
          title === 'locked' ? null : userId === createdBy ? 'owner' : (roles.get(userId) ?? null),
      },
    });
  });
  afterAll(() => server.stop());

  test('a caller without a valid token is refused, and told how to show one', async () => {
    const response = await call(server, 'createSession', { body: {} });
    expect(errorOf(response).code).toBe('UNAUTHENTICATED');
    expect(response.headers['www-authenticate']).toBe('Bearer');
    await expectRefusal(call(server, 'createSession', { body: {}, as: 'nobody' }), 'UNAUTHENTICATED');
  });

  test('a session is not there for who has no role in it', async () => {
    const sessionId = await createSession(server, {}, 'user-ann');
    const params = { sessionId };
    const there = await expectRefusal(call(server, 'readSession', { params, as: 'user-zed' }), 'SESSION_NOT_FOUND');
    const nowhere = { params: { sessionId: 'nowhere' }, as: 'user-zed' };
    expect(await expectRefusal(call(server, 'readSession', nowhere), 'SESSION_NOT_FOUND')).toEqual(there);
    for (const name of ['readDocument', 'readHistory', 'closeSession'] as const) {
      await expectRefusal(call(server, name, { params, as: 'user-zed' }), 'SESSION_NOT_FOUND');
    }
    const body = { clientSeq: 1, operations: [operation] };
    await expectRefusal(call(server, 'appendOperations', { params, as: 'user-zed', body }), 'SESSION_NOT_FOUND');
    await expectRefusal(
      call(server, 'renameSession', { params, as: 'user-zed', body: { title: 'x' } }),
      'SESSION_NOT_FOUND',
    );
    await expectRefusal(call(server, 'duplicateSession', { params, as: 'user-zed', body: {} }), 'SESSION_NOT_FOUND');
  });

  test.each([
    { role: 'viewer', as: 'user-vera', append: 403, rename: 403, close: 403 },
    { role: 'commenter', as: 'user-carl', append: 403, rename: 403, close: 403 },
    { role: 'editor', as: 'user-ed', append: 200, rename: 200, close: 403 },
    { role: 'owner', as: 'user-owen', append: 200, rename: 200, close: 204 },
  ])('a $role may read, and change what a $role may change', async ({ role, as, append, rename, close }) => {
    const params = { sessionId: await createSession(server, {}, 'user-ann') };
    expect((await call(server, 'readSession', { params, as })).body).toMatchObject({ role });
    expect((await call(server, 'readDocument', { params, as })).status).toBe(200);
    expect((await call(server, 'readHistory', { params, as })).status).toBe(200);
    const body = { clientSeq: 1, operations: [operation] };
    expect((await call(server, 'appendOperations', { params, as, body })).status).toBe(append);
    expect((await call(server, 'renameSession', { params, as, body: { title: 'x' } })).status).toBe(rename);
    expect((await call(server, 'closeSession', { params, as })).status).toBe(close);
  });

  test('who may not is told the own role, and which it takes', async () => {
    const sessionId = await createSession(server, {}, 'user-ann');
    const asked = call(server, 'closeSession', { params: { sessionId }, as: 'user-ed' });
    const { message } = await expectRefusal(asked, 'FORBIDDEN');
    expect(message).toBe('The role editor may not do this; it takes: owner.');
  });

  test('the list holds what the caller made and may still see, in pages', async () => {
    const mine = ['list-a', 'list-b', 'list-c'];
    for (const sessionId of mine) await createSession(server, { sessionId }, 'user-lea');
    await createSession(server, { sessionId: 'list-d', title: 'locked' }, 'user-lea');
    await createSession(server, { sessionId: 'list-e' }, 'user-ann');

    const seen: string[] = [];
    let after: string | undefined;
    for (let pages = 0; pages < 10; pages += 1) {
      const query = { limit: 2, ...(after === undefined ? {} : { after }) };
      const page = (await call(server, 'listSessions', { query, as: 'user-lea' })).body as {
        sessions: Array<{ sessionId: string }>;
        next: string | null;
      };
      seen.push(...page.sessions.map(({ sessionId }) => sessionId));
      if (page.next === null) break;
      after = page.next;
    }
    expect(seen).toEqual(mine);
  });

  test('a closed session is gone, and its id stays taken', async () => {
    const sessionId = await createSession(server, {}, 'user-ann');
    const as = 'user-ann';
    await call(server, 'closeSession', { params: { sessionId }, as });
    await expectRefusal(call(server, 'closeSession', { params: { sessionId }, as }), 'SESSION_NOT_FOUND');
    await expectRefusal(call(server, 'readDocument', { params: { sessionId }, as }), 'SESSION_NOT_FOUND');
    const again = await call(server, 'createSession', { body: { sessionId }, as });
    expect(errorOf(again).code).toBe('SESSION_EXISTS');
  });
});

describe('faults and logs', () => {
  const lines: string[] = [];
  const log = createLogger(
    { level: 'debug', instanceId: 'test' },
    new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) }),
  );
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({
      log,
      hooks: {
        authenticate({ token, address }) {
          if (token === 'limited') throw new FlowError('RATE_LIMITED', undefined, { retryAfterMs: 1_500 });
          if (token === 'broken') throw new Error(`the directory of users is away, says ${address}`);
          return { userId: token ?? 'nobody' };
        },
      },
    });
  });
  afterAll(() => server.stop());

  test('a fault is INTERNAL with an id that the log has too, and nothing else', async () => {
    const response = await call(server, 'listSessions', { as: 'broken' });
    const error = errorOf(response);
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'A fault of the server, logged under `errorId`.' });
    expect(response.text).not.toContain('directory');
    const logged = lines.filter((line) => line.includes(error.errorId ?? 'no id'));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain('the directory of users is away, says 127.0.0.1');
  });

  test('a refusal that waiting helps with says how long, in whole seconds', async () => {
    const response = await call(server, 'listSessions', { as: 'limited' });
    expect(errorOf(response)).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_500 });
    expect(response.headers['retry-after']).toBe('2');
  });

  test('a request is logged at debug without its token and its query', async () => {
    await call(server, 'listSessions', { as: 'secret-token-of-ann', query: { after: 'secret-query' } });
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged).toContainEqual(
      expect.objectContaining({
        level: 20,
        component: 'http',
        msg: 'request answered',
        req: { method: 'GET', path: '/api/sessions' },
        res: { status: 200 },
      }),
    );
    expect(lines.join('')).not.toMatch(/secret-token-of-ann|secret-query/);
  });
});

describe('methods, paths and origins', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer();
    await createSession(server, { sessionId: 'there' });
  });
  afterAll(() => server.stop());

  test('HEAD answers as GET does, without a body', async () => {
    for (const path of ['/health', '/api/sessions/there', '/api/sessions/there/document', '/docs']) {
      const response = await request(server.url).head(path);
      expect([path, response.status, response.text ?? '']).toEqual([path, 200, '']);
    }
    expect((await request(server.url).head('/api/sessions/nowhere')).status).toBe(404);
  });

  test('a method that a path does not have answers 405 and the ones it has', async () => {
    const response = await request(server.url).put('/api/sessions/there').send({});
    expect(response.status).toBe(405);
    expect(response.headers['allow']).toBe('GET, PATCH, DELETE, HEAD, OPTIONS');
    expect(errorOf(response).code).toBe('BAD_REQUEST');
    expect((await request(server.url).delete('/health')).headers['allow']).toBe('GET, HEAD, OPTIONS');
    expect((await request(server.url).options('/health')).status).toBe(204);
  });

  test.each([
    '/api',
    '/api/',
    '/api/nothing',
    '/api/sessions/there/nothing',
    '/nothing',
    '/health/nothing',
    '/docs/a.css',
  ])('%s answers 404 in JSON', async (path) => {
    const response = await request(server.url).get(path);
    expect([response.status, errorOf(response).code]).toEqual([404, 'BAD_REQUEST']);
    expect(response.headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
    expect(response.headers).not.toHaveProperty('x-powered-by');
  });

  test('/ is the editor, and takes nothing', async () => {
    const response = await request(server.url).get('/');
    expect([response.status, response.type]).toEqual([200, 'text/html']);
    expect(response.headers['content-security-policy']).toContain("script-src 'self'");
    expect((await request(server.url).post('/')).status).toBe(404);
  });

  test('a page of an allowed origin may ask and read', async () => {
    const origin = 'http://localhost:5173';
    const preflight = await request(server.url)
      .options('/api/sessions/there')
      .set({ Origin: origin, 'Access-Control-Request-Method': 'PATCH' });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe(origin);
    expect(preflight.headers['access-control-allow-methods']).toContain('PATCH');
    expect(preflight.headers['access-control-allow-headers']).toContain('Authorization');
    expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials');

    const read = await call(server, 'readDocument', { params: { sessionId: 'there' }, headers: { Origin: origin } });
    expect(read.headers['access-control-allow-origin']).toBe(origin);
    expect(read.headers['access-control-expose-headers']).toContain('Flow-Seq');
    expect(read.headers['vary']).toContain('Origin');
  });

  test('a page of another origin can read nothing and change nothing', async () => {
    const headers = { Origin: 'https://elsewhere.example' };
    const preflight = await request(server.url).options('/api/sessions').set(headers);
    expect(errorOf(preflight).code).toBe('FORBIDDEN');
    const read = await call(server, 'listSessions', { headers });
    expect(read.headers).not.toHaveProperty('access-control-allow-origin');
    await expectRefusal(call(server, 'createSession', { body: { sessionId: 'forged' }, headers }), 'FORBIDDEN');
    // Without a body, browsers do not ask first.
    await expectRefusal(call(server, 'duplicateSession', { params: { sessionId: 'there' }, headers }), 'FORBIDDEN');
    await expectRefusal(call(server, 'readSession', { params: { sessionId: 'forged' } }), 'SESSION_NOT_FOUND');
  });
});

test('in an application it answers under its path and leaves the others alone', async () => {
  const web = express();
  const httpServer = createServer(web);
  const flow = createFlow({ httpServer, config: { documentStore: 'memory' } });
  web.use('/flow', flow.router);
  web.get('/api/own', (_request, response) => void response.json({ own: true }));
  await flow.start();
  const listening = await listen(httpServer, '127.0.0.1', 0);
  const url = `http://127.0.0.1:${listening.port}`;
  try {
    expect((await request(url).get('/flow/health')).body).toMatchObject({ status: 'ok' });
    const created = await request(url).post('/flow/api/sessions').send({ sessionId: 'a' });
    expect(created.headers['location']).toBe('/flow/api/sessions/a');
    expect((await request(url).get('/flow/openapi.json')).body).toMatchObject({ servers: [{ url: '/flow' }] });
    // Express' own answer, since this application has none.
    for (const path of ['/', '/flow', '/flow/nothing'])
      expect((await request(url).get(path)).text).toContain(`Cannot GET ${path}`);
    const own = await request(url).get('/api/own');
    expect(own.body).toEqual({ own: true });
    expect(own.headers).not.toHaveProperty('x-content-type-options');
  } finally {
    await flow.stop();
    listening.stop();
    httpServer.closeAllConnections();
  }
});
