import { createLogger } from '../../src/lib/logger';
import { useServers } from '../support/server';
import { call, createSession, errorOf } from './support';

const startServer = useServers();

const LIMITED = { code: 'RATE_LIMITED', action: 'wait' };

test('[LM7] of one user to one route, so many and no more; the answer says what the limit is, what is left, and until when', async () => {
  const server = await startServer({ config: { userHttpRequestsPerMinute: 2 } });
  for (const left of [1, 0]) {
    const { status, headers } = await call(server, 'listSessions', { as: 'ann' });
    expect(status).toBe(200);
    expect(headers['ratelimit-policy']).toBe('"default";q=2;w=60');
    expect(headers['ratelimit']).toMatch(new RegExp(`^"default";r=${left};t=(?:59|60)$`));
  }
  const refused = await call(server, 'listSessions', { as: 'ann' });
  expect(refused.status).toBe(429);
  expect(errorOf(refused)).toMatchObject(LIMITED);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
  expect(refused.headers['ratelimit']).toMatch(/^"default";r=0;t=(?:59|60)$/);
  // Another user, and another route, are not concerned; nor is the same path with another method a way around it.
  expect((await call(server, 'listSessions', { as: 'bob' })).status).toBe(200);
  expect((await call(server, 'listDevices', { as: 'ann' })).status).not.toBe(429);
  expect((await call(server, 'createSession', { as: 'ann', body: {} })).status).toBe(429);
});

test('[LM7] from one address, so many and no more, whoever asks; health is not limited', async () => {
  const server = await startServer({ config: { ipHttpRequestsPerMinute: 2 } });
  for (const as of ['ann', 'bob']) expect((await call(server, 'listSessions', { as })).status).toBe(200);
  const refused = await call(server, 'listSessions', { as: 'carl' });
  expect(errorOf(refused)).toMatchObject(LIMITED);
  expect(refused.headers['ratelimit-policy']).toBe('"ip";q=2;w=60');
  expect((await call(server, 'stats')).status).toBe(429);
  for (const name of ['health', 'live', 'ready'] as const)
    for (let time = 0; time < 10; time += 1) expect((await call(server, name)).status).toBe(200);
});

test.each([
  ['nobody is trusted', 0, 429],
  ['one proxy is trusted', 1, 200],
])('[LM6] %s: what X-Forwarded-For says', async (_what, trustProxy, expected) => {
  const server = await startServer({ config: { ipHttpRequestsPerMinute: 2, trustProxy } });
  const statuses: number[] = [];
  for (const last of [1, 2, 3]) {
    const headers = { 'X-Forwarded-For': `203.0.113.${last}` };
    statuses.push((await call(server, 'listSessions', { as: 'mallory', headers })).status);
  }
  expect(statuses).toEqual([200, 200, expected]);
});

test('[LM7] a flood of requests leaves a few lines in the log', async () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', instanceId: 'one' }, { write: (line) => void lines.push(line) });
  const server = await startServer({ config: { ipHttpRequestsPerMinute: 2 }, log });
  for (let count = 0; count < 100; count += 1) await call(server, 'listSessions', { as: 'mallory' });
  expect(lines.filter((line) => line.includes('RATE_LIMITED'))).toHaveLength(3);
});

test('[LM7] what is made and what is written over HTTP counts together with what comes over a socket', async () => {
  const server = await startServer({ config: { userCreatesPerMinute: 1, userEditsPerSecond: 1 } });
  const sessionId = await createSession(server, { format: 'json' }, 'ann');
  const ann = await server.connect({ user: 'ann' });
  // What is taken in advance is one at a time, and one is lent.
  await ann.ask('session:create', {});
  expect(await ann.refusal('session:create', {})).toMatchObject(LIMITED);
  expect((await call(server, 'createSession', { as: 'ann', body: {} })).status).toBe(429);
  const params = { sessionId };
  const statuses: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    const body = { clientSeq: 1, operations: ['x'] };
    statuses.push((await call(server, 'appendOperations', { params, as: 'ann', body })).status);
  }
  expect(statuses.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 200));
  expect(statuses.at(-1)).toBe(429);
  await ann.demand('session:join', params);
  expect(await ann.refusal('operation:submit', { sessionId, clientSeq: 1, operations: ['x'] })).toMatchObject(LIMITED);
});

test('[LM7] bytes of bodies count before they are parsed', async () => {
  const server = await startServer({ config: { userReceivedBytesPerSecond: 2_000 } });
  const sessionId = await createSession(server, { format: 'json' }, 'ann');
  const append = async (text: string): Promise<number> => {
    const body = `{"clientSeq":1,"operations":["${text}"`;
    return (await call(server, 'appendOperations', { params: { sessionId }, as: 'ann', body })).status;
  };
  // It is no JSON: whoever looks says so.
  expect(await append('x'.repeat(30_000))).toBe(400);
  expect(await append('x')).toBe(429);
});
