import express from 'express';
import { createServer, type Server } from 'node:http';
import request, { type Response } from 'supertest';
import { loadConfig, type Config } from '../../config/load-config';
import { createFlowContainer } from '../../src/container';
import { administratorsOnly } from '../../src/http/administrators';
import { createRefuse } from '../../src/http/refuse';
import { systemClock } from '../../src/lib/clock';
import { silentLogger } from '../../src/lib/logger';
import { AUDIENCE, SECRET, secretToken, unsignedToken } from '../support/identity-provider';
import { errorOf } from './support';

const ADMIN_TOKEN = 'the token of administrators';
const servers: Server[] = [];
const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  for (const stop of stops.splice(0)) await stop();
});

/** Something that is for administrators, behind the guard; answers how to ask for it. */
async function guarded(config: Partial<Config>): Promise<(token?: string) => Promise<Response>> {
  const web = express();
  const httpServer = createServer(web);
  servers.push(httpServer);
  const { cradle } = createFlowContainer({
    version: '0.0.0',
    config: { ...loadConfig({}), documentStore: 'memory', ...config },
    httpServer,
    socketPath: '/socket.io',
    authenticate: undefined,
    authorize: () => null,
    onSessionOpened: undefined,
    onSaved: undefined,
    store: undefined,
    ordering: undefined,
    clock: systemClock,
    log: silentLogger,
    phase: () => 'ready',
  });
  const { authentication, accessFollower, io } = cradle;
  await accessFollower.start();
  stops.push(
    () => accessFollower.stop(),
    () => io.close(),
  );
  web.use('/admin', administratorsOnly({ authentication, trustProxy: 0, refuse: createRefuse(cradle) }));
  web.get('/admin/levers', (_request, response) => void response.json({ levers: 3 }));
  return async (token) => {
    const asked = request(httpServer).get('/admin/levers');
    return token === undefined ? asked : asked.set('Authorization', `Bearer ${token}`);
  };
}

const jwt: Partial<Config> = { authMode: 'jwt', authJwtSecret: SECRET, authAudience: AUDIENCE };

test('administrators are let through, by ADMIN_TOKEN or by a token of their own', async () => {
  const ask = await guarded({ ...jwt, adminToken: ADMIN_TOKEN });
  for (const token of [ADMIN_TOKEN, await secretToken({ roles: ['flow-admin'] })]) {
    const { status, body } = await ask(token);
    expect([status, body]).toEqual([200, { levers: 3 }]);
  }
});

test('nobody else is, whatever they show, and nothing behind it is told', async () => {
  const ask = await guarded({ ...jwt, adminToken: ADMIN_TOKEN });
  const tokens: Array<[string | undefined, number, string]> = [
    [undefined, 401, 'UNAUTHENTICATED'],
    ['', 401, 'UNAUTHENTICATED'],
    [`${ADMIN_TOKEN}x`, 401, 'UNAUTHENTICATED'],
    [ADMIN_TOKEN.slice(1), 401, 'UNAUTHENTICATED'],
    [unsignedToken({ roles: ['flow-admin'] }), 401, 'UNAUTHENTICATED'],
    [await secretToken({ roles: ['flow-admin'] }, 'another secret of more than 32 bytes'), 401, 'UNAUTHENTICATED'],
    [await secretToken({ roles: ['flow-admin'], ttl: -60 }), 401, 'UNAUTHENTICATED'],
    [await secretToken(), 403, 'FORBIDDEN'],
    [await secretToken({ roles: 'flow-admin' }), 403, 'FORBIDDEN'],
    [await secretToken({ roles: ['flow-admin-not'] }), 403, 'FORBIDDEN'],
  ];
  for (const [token, status, code] of tokens) {
    const response = await ask(token);
    expect([token, response.status, errorOf(response).code]).toEqual([token, status, code]);
    expect(response.text).not.toContain('levers');
  }
  expect((await ask()).headers['www-authenticate']).toBe('Bearer');
});

test('where ADMIN_TOKEN is not set, and names are nobody’s, there are no administrators', async () => {
  const ask = await guarded({});
  for (const token of ['undefined', 'root', 'flow-admin', ADMIN_TOKEN]) expect((await ask(token)).status).toBe(403);
  expect((await ask()).status).toBe(401);
});
