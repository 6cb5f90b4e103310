import { createServer } from 'node:http';
import express from 'express';
import request from 'supertest';
import { createFlow } from '../../src/flow';
import { systemClock } from '../../src/lib/clock';
import { createLogger } from '../../src/lib/logger';
import { RecentWarnings } from '../../src/lib/recent-warnings';
import type { DocumentStore } from '../../src/storage/document-store';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { eventually } from '../support/eventually';
import { useServers } from '../support/server';
import { call, createSession, errorOf, expectRefusal } from './support';

const start = useServers();

/** A store that refuses to save while it is told to. */
function fillableStore(): { store: DocumentStore; fill(): void; free(): void } {
  const store = new MemoryDocumentStore();
  const save = store.operationLog.save.bind(store.operationLog);
  let isFull = false;
  store.operationLog.save = (saves) => (isFull ? Promise.reject(new Error('ENOSPC: no space left')) : save(saves));
  return { store, fill: () => (isFull = true), free: () => (isFull = false) };
}

test('a healthy server says what it runs on', async () => {
  const server = await start();
  expect((await call(server, 'health')).body).toMatchObject({
    status: 'ok',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    services: {
      websockets: { backend: 'memory', configured: 'memory', status: 'ok' },
      collaboration: { backend: 'memory', configured: 'memory', status: 'ok' },
      eventOrdering: { backend: 'memory', configured: 'memory', status: 'ok' },
    },
    store: { kind: 'memory', durability: 'none', status: 'ok', unsavedSessions: 0, oldestUnsavedMs: 0 },
    reasons: [],
  });
  expect((await call(server, 'ready')).body).toEqual({ ready: true, reasons: [] });
  expect((await call(server, 'live')).body).toEqual({ status: 'ok' });
});

test('[ST7] a store that takes nothing makes the instance unready after a while, with what the store said, and ready again', async () => {
  const { store, fill, free } = fillableStore();
  const server = await start({ store, config: { saveStallMs: 100 } });
  const params = { sessionId: await createSession(server, { sessionId: 'not-to-be-named', format: 'json' }) };
  fill();
  const appended = await call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['a'] } });
  expect(appended.status).toBe(200);

  await eventually('the store is known to fail', async () => {
    expect((await call(server, 'health')).body).toMatchObject({ store: { failure: 'ENOSPC: no space left' } });
  });
  await eventually('it is not ready', async () => (await call(server, 'ready')).status === 503);
  const { body } = await call(server, 'ready');
  expect(body).toMatchObject({
    ready: false,
    reasons: [{ code: 'saving-stalled', unsavedSessions: 1, failure: 'ENOSPC: no space left' }],
  });
  const unwell = await call(server, 'health');
  expect(unwell.status).toBe(503);
  expect(unwell.body).toMatchObject({ status: 'unavailable', store: { status: 'stalled', unsavedSessions: 1 } });
  expect(unwell.text).not.toContain('not-to-be-named');
  expect((await call(server, 'live')).status).toBe(200);

  free();
  await eventually('it is ready again', async () => (await call(server, 'ready')).status === 200);
  expect((await call(server, 'health')).body).toMatchObject({
    status: 'ok',
    store: { status: 'ok', unsavedSessions: 0 },
  });
});

test('a store that fails for less than the stall time degrades the instance and leaves it ready', async () => {
  const { store, fill, free } = fillableStore();
  const server = await start({ store });
  const params = { sessionId: await createSession(server, { format: 'json' }) };
  fill();
  await call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['a'] } });
  await eventually('it is degraded', async () => {
    const { status, body } = await call(server, 'health');
    expect([status, (body as { status: string }).status]).toEqual([200, 'degraded']);
    expect(body).toMatchObject({ store: { status: 'failing' } });
  });
  expect((await call(server, 'ready')).status).toBe(200);
  free();
});

test('[ST5] a process whose sessions another one took is not ready, and says which must go', async () => {
  const store = new MemoryDocumentStore();
  const older = await start({ store });
  const newer = await start({ store });
  const params = { sessionId: await createSession(older, { format: 'json' }) };
  const body = { clientSeq: 1, operations: ['a'] };
  await call(older, 'appendOperations', { params, body });
  await call(newer, 'appendOperations', { params, body });
  await call(older, 'appendOperations', { params, body });

  await eventually('the older one noticed', async () => (await call(older, 'ready')).status === 503);
  expect((await call(older, 'ready')).body).toMatchObject({
    ready: false,
    reasons: [{ code: 'sessions-taken-over', sessions: 1 }],
  });
  expect((await call(older, 'health')).body).toMatchObject({ status: 'degraded' });
  await expectRefusal(call(older, 'appendOperations', { params, body }), 'BACKEND_UNAVAILABLE');
  expect((await call(newer, 'ready')).status).toBe(200);
});

test('before it is started, a server lives, is not ready, and lets nobody in', async () => {
  const web = express();
  const httpServer = createServer(web);
  const flow = createFlow({ httpServer, config: { documentStore: 'memory' } });
  web.use(flow.router);
  expect((await request(web).get('/health/live')).status).toBe(200);
  const ready = await request(web).get('/health/ready');
  expect([ready.status, ready.body]).toMatchObject([503, { reasons: [{ code: 'starting' }] }]);
  const asked = await request(web).get('/api/sessions');
  expect(errorOf(asked)).toMatchObject({ code: 'BUSY', action: 'wait' });
  await flow.stop();
});

test('while it stops, a server is not ready, refuses calls, and lets connections go', async () => {
  const { store, fill, free } = fillableStore();
  const server = await start({ store });
  const params = { sessionId: await createSession(server, { format: 'json' }) };
  fill();
  await call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['a'] } });
  const stopped = server.stop();
  const ready = await call(server, 'ready');
  expect([ready.status, ready.body]).toMatchObject([503, { reasons: [{ code: 'draining' }] }]);
  expect(ready.headers['connection']).toBe('close');
  await expectRefusal(
    call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['b'] } }),
    'DRAINING',
  );
  free();
  await stopped;
});

test('/ws/stats counts what happened', async () => {
  const adminToken = 'the token of administrators';
  const server = await start({ config: { adminToken } });
  const params = { sessionId: await createSession(server, { format: 'json' }) };
  const body = { clientSeq: 1, operations: ['a', 'b'] };
  const { client } = (await call(server, 'appendOperations', { params, body })).body as { client: object };
  await call(server, 'appendOperations', { params, body: { ...body, client } });
  await expectRefusal(
    call(server, 'appendOperations', { params, body: { ...body, clientSeq: 5, client } }),
    'CLIENT_SEQ_GAP',
  );
  await eventually('both are saved', async () => {
    expect((await call(server, 'stats')).body).toMatchObject({ operations: { saved: 2 } });
  });
  expect((await call(server, 'stats', { as: adminToken })).body).toMatchObject({
    backends: { websockets: 'memory', collaboration: 'memory', eventOrdering: 'memory', devices: 'memory' },
    connections: { local: 0, cluster: 0 },
    sessions: { open: 1, participants: 0 },
    operations: { ordered: 2, duplicates: 1, refused: 1, forks: 0, perSecond: expect.any(Number) },
    latency: { orderMs: { p50: expect.any(Number), p99: expect.any(Number) } },
  });
});

test('/ws/stats tells administrators how fast it is now, who serves, and what went wrong; nobody else', async () => {
  const adminToken = 'the token of administrators';
  const warnings = new RecentWarnings({ clock: systemClock });
  const log = createLogger({ level: 'warn', instanceId: 'one', warnings }, { write: () => {} });
  const { store, fill, free } = fillableStore();
  const server = await start({ store, log, warnings, config: { adminToken, instanceId: 'one' } });
  const params = { sessionId: await createSession(server, { sessionId: 'not-to-be-named', format: 'json' }) };
  fill();
  await call(server, 'appendOperations', { params, body: { clientSeq: 1, operations: ['a'] } });
  await eventually('the failure is told', async () => {
    const answer = await call(server, 'stats', { as: adminToken });
    expect(answer.body).toMatchObject({
      recentLatency: { orderMs: { count: 1, p95: expect.any(Number) }, saveMs: { count: 0 } },
      instances: [{ instanceId: 'one', isThis: true, isServing: true, connections: 0, version: expect.any(String) }],
      warnings: expect.arrayContaining([
        expect.objectContaining({ level: 'error', message: 'saving failed; trying again' }),
      ]),
    });
    expect(answer.text).not.toContain('not-to-be-named');
  });
  const { body } = await call(server, 'stats');
  expect(body).toMatchObject({ health: { status: 'degraded', store: { status: 'failing' } } });
  for (const name of ['latency', 'recentLatency', 'instances', 'warnings', 'eventLoop'])
    expect(body).not.toHaveProperty(name);
  free();
});
