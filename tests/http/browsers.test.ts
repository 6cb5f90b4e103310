import request from 'supertest';
import { WebSocket } from 'ws';
import type { Config } from '../../config/load-config';
import { AUDIENCE, SECRET, secretToken } from '../support/identity-provider';
import { socketIoUrl } from '../support/raw-socket';
import { useServers, type TestServer } from '../support/server';
import { errorOf, expectRefusal, call } from './support';

const start = useServers();
const jwt: Partial<Config> = { authMode: 'jwt', authJwtSecret: SECRET, authAudience: AUDIENCE };

/** What becomes of a WebSocket with these headers: `let in`, or the status and what was said. */
function upgrade({ url }: TestServer, headers: Record<string, string>): Promise<string> {
  const webSocket = new WebSocket(socketIoUrl(url), { headers });
  return new Promise((resolve, reject) => {
    webSocket.once('open', () => {
      webSocket.terminate();
      resolve('let in');
    });
    webSocket.once('unexpected-response', (_asked, response) => {
      let said = '';
      response.on('data', (bytes: Buffer) => (said += bytes.toString()));
      response.on('end', () => resolve(`${response.statusCode}: ${said}`));
    });
    webSocket.once('error', reject);
  });
}

describe('every answer', () => {
  test.each([
    ['JSON', '/health'],
    ['a refusal', '/api/sessions?limit=x'],
    ['a path that is not there', '/api/nothing'],
    ['a path of nobody', '/nothing'],
    ['a page', '/docs'],
    ['what is no WebSocket', '/socket.io/?EIO=4&transport=polling'],
  ])('%s is no script, in no frame, runs nothing and tells no page where it came from', async (_what, path) => {
    const { headers } = await request((await start()).url).get(path);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': expect.stringMatching(
        /^default-src 'none';.*base-uri 'none'; *form-action 'none'; *frame-ancestors 'none'(?:;|$)/,
      ),
    });
    expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|script-src/);
    expect(headers).not.toHaveProperty('x-powered-by');
    // That is for whoever ends TLS to say.
    expect(headers).not.toHaveProperty('strict-transport-security');
  });

  test('a path of nobody is answered in JSON, and not repeated', async () => {
    const response = await request((await start()).url).get('/<script>alert(1)</script>');
    expect([response.status, errorOf(response).code]).toEqual([404, 'BAD_REQUEST']);
    expect(response.text).not.toContain('script');
  });
});

describe('a WebSocket from a page', () => {
  test.each([
    ['of another origin', 'https://evil.example'],
    ['that only begins as ours', 'http://localhost.evil.example'],
    ['without an origin of its own', 'null'],
  ])('%s is refused, whatever token it has', async (_what, origin) => {
    const server = await start({ config: jwt });
    expect(await upgrade(server, { origin })).toBe('400: origin not allowed');
    expect(await upgrade(server, { origin: 'http://localhost:5173' })).toBe('let in');
  });

  test('is let in if it is listed, and if not, not', async () => {
    const server = await start({ config: { allowedOrigins: ['https://app.example'] } });
    expect(await upgrade(server, { origin: 'https://app.example' })).toBe('let in');
    for (const origin of ['https://app.example:444', 'http://app.example', 'http://localhost:5173', 'null'])
      expect(await upgrade(server, { origin })).toBe('400: origin not allowed');
  });
});

describe('a page whose name was given the address of this server (DNS rebinding)', () => {
  const host = 'evil.example:3001';
  const origin = `http://${host}`;

  test('reaches nothing where everybody is let in, with and without an origin', async () => {
    const server = await start();
    const reads = [{ host }, { host, origin }];
    for (const headers of reads) {
      await expectRefusal(call(server, 'listSessions', { headers }), 'FORBIDDEN');
      await expectRefusal(call(server, 'createSession', { body: { sessionId: 'forged' }, headers }), 'FORBIDDEN');
      expect(await upgrade(server, headers)).toMatch(/^400: With AUTH_MODE=open .* ALLOWED_ORIGINS/);
    }
    await expectRefusal(call(server, 'readSession', { params: { sessionId: 'forged' } }), 'SESSION_NOT_FOUND');
    // Whoever watches the server may call it what they like.
    expect((await call(server, 'health', { headers: { host } })).status).toBe(200);
  });

  test('is as good as any other that has no token', async () => {
    const server = await start({ config: jwt });
    await expectRefusal(call(server, 'listSessions', { headers: { host, origin } }), 'UNAUTHENTICATED');
    const as = await secretToken();
    expect((await call(server, 'listSessions', { as, headers: { host, origin } })).status).toBe(200);
  });

  test('is let in if its name is listed', async () => {
    const server = await start({ config: { allowedOrigins: [origin] } });
    expect((await call(server, 'listSessions', { headers: { host } })).status).toBe(200);
    expect(await upgrade(server, { host, origin })).toBe('let in');
  });
});
